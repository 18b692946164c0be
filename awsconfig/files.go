package awsconfig

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ReadFile reads a file of the CLI that has at most so many bytes. Its error is fs.ErrNotExist when
// there is none.
func ReadFile(name string, most int64) ([]byte, error) {
	file, err := os.Open(name) // #nosec G304 -- the person's own file
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	err = errors.Join(err, file.Close())
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	return data, err
}

// WriteFile writes a file of the CLI whole or not at all, in a folder that it makes where there is
// none.
func WriteFile(name string, data []byte, mode os.FileMode) error {
	folder := filepath.Dir(name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(folder, ".gatehouse-*") // for its owner only
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
