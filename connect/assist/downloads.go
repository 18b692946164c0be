package assist

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	maxDownloads = 5_000       //bound:list files of the download folder that are looked at
	watchEach    = time.Second //bound:wait the next look at the download folder
)

// downloads watches the folder where browsers put files. What is there at the beginning is never
// taken, nor is what is no file of its own: a link could lead anywhere.
type downloads struct {
	folder string
	seen   map[string]identity // what was there or was taken, by name
	grew   map[string]identity // what came just now, and may still be written
}

type identity struct {
	size    int64
	changed time.Time
}

func newDownloads(folder string) *downloads {
	d := &downloads{folder: folder, grew: map[string]identity{}}
	d.seen = d.list()
	return d
}

// list are the XML files in the folder that are small enough.
func (d *downloads) list() map[string]identity {
	found := map[string]identity{}
	if d.folder == "" {
		return found
	}
	dir, err := os.Open(d.folder)
	if err != nil {
		return found
	}
	defer dir.Close() //nolint:errcheck // it was only read
	entries, err := dir.ReadDir(maxDownloads)
	if err != nil {
		return found
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() == 0 || info.Size() > maxValue ||
			!strings.EqualFold(filepath.Ext(e.Name()), ".xml") {
			continue
		}
		found[e.Name()] = identity{info.Size(), info.ModTime()}
	}
	return found
}

// file is one that has come.
type file struct {
	identity

	name string
	data []byte
}

// came returns what has come since the beginning, is no longer written, and was neither taken nor
// skipped; it is skipped the next time.
func (d *downloads) came(skipped map[string]identity) (files []file) {
	now := d.list()
	growing := map[string]identity{}
	for name, id := range now {
		switch {
		case d.seen[name] == id, skipped[name] == id:
			continue
		case d.grew[name] != id: // look again whether it is whole
			growing[name] = id
			continue
		}
		skipped[name] = id
		if data, err := d.read(name); err == nil {
			files = append(files, file{id, name, data})
		}
	}
	d.grew = growing
	return files
}

// read reads a file of the folder. A link that took its place since is not followed out of it.
func (d *downloads) read(name string) ([]byte, error) {
	root, err := os.OpenRoot(d.folder)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // it was only read
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	return io.ReadAll(io.LimitReader(f, maxValue))
}

// DownloadFolder is where the person's browsers put files; empty when there is none. Source:
// xdg-user-dirs; elsewhere it has the same name everywhere.
func DownloadFolder(env func(string) (string, bool)) string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	folder := filepath.Join(home, "Downloads")
	if runtime.GOOS != "windows" && runtime.GOOS != "darwin" {
		if named := xdgDownloads(home, env); named != "" {
			folder = named
		}
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return ""
	}
	return folder
}

const maxXDG = 64 << 10 //bound:body the file with the names of a person's folders

func xdgDownloads(home string, env func(string) (string, bool)) string {
	settings, ok := env("XDG_CONFIG_HOME")
	if !ok || settings == "" {
		settings = filepath.Join(home, ".config")
	}
	f, err := os.Open(filepath.Join(settings, "user-dirs.dirs")) // #nosec G304 -- the person's own settings
	if err != nil {
		return ""
	}
	defer f.Close() //nolint:errcheck // it was only read
	lines := bufio.NewScanner(io.LimitReader(f, maxXDG))
	for lines.Scan() {
		value, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "XDG_DOWNLOAD_DIR=")
		if !ok {
			continue
		}
		value = strings.Trim(value, `"`)
		if rest, in := strings.CutPrefix(value, "$HOME"); in {
			value = home + rest
		}
		if filepath.IsAbs(value) && value != home { // a person without the folder has the home there
			return value
		}
	}
	return ""
}
