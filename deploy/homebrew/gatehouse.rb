# A formula for a tap of your own. It builds the program from the source.
class Gatehouse < Formula
  desc "IAM Identity Center that you run yourself, and the tenant on the other side"
  homepage "https://github.com/gatehouse-id/gatehouse"
  license "Apache-2.0"
  head "https://github.com/gatehouse-id/gatehouse.git", branch: "main"

  depends_on "go" => :build

  def install
    ENV["CGO_ENABLED"] = "0"
    system "go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=#{version}",
           "-o", bin/"gatehouse", "./cmd/gatehouse"
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
