# A formula for a tap of your own. scripts/release fills in what is between @ and @, and writes it to dist/.
class Gatehouse < Formula
  desc "IAM Identity Center that you run yourself, and the tenant on the other side"
  homepage "https://github.com/gatehouse-id/gatehouse"
  version "@VERSION@"
  license "Apache-2.0"
  head "https://github.com/gatehouse-id/gatehouse.git", branch: "main"

  on_macos do
    on_arm do
      url "@URL@/gatehouse-darwin-arm64.tar.gz"
      sha256 "@darwin-arm64@"
    end
    on_intel do
      url "@URL@/gatehouse-darwin-amd64.tar.gz"
      sha256 "@darwin-amd64@"
    end
  end

  on_linux do
    on_arm do
      url "@URL@/gatehouse-linux-arm64.tar.gz"
      sha256 "@linux-arm64@"
    end
    on_intel do
      url "@URL@/gatehouse-linux-amd64.tar.gz"
      sha256 "@linux-amd64@"
    end
  end

  depends_on "go" => :build if build.head?

  def install
    if build.head?
      ENV["CGO_ENABLED"] = "0"
      system "go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=#{version}",
             "-o", bin/"gatehouse", "./cmd/gatehouse"
    else
      bin.install "gatehouse"
    end
    generate_completions_from_executable(bin/"gatehouse", "completion")
  end

  service do
    run [opt_bin/"gatehouse", "serve", "--data", var/"gatehouse/center"]
    keep_alive true
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/gatehouse version")
  end
end
