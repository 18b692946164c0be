package awsconfig

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Folder is where the CLI keeps its files: ~/.aws. env looks variables up, as os.LookupEnv does.
func Folder(env func(string) (string, bool)) (string, error) {
	if home, ok := env("HOME"); ok && home != "" {
		return filepath.Join(home, ".aws"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("the home folder is not known: set HOME, or name the files: %w", err)
	}
	return filepath.Join(home, ".aws"), nil
}

// Path is the configuration file: what AWS_CONFIG_FILE names, or config in the folder.
func Path(env func(string) (string, bool)) (string, error) {
	if file, ok := env("AWS_CONFIG_FILE"); ok && file != "" {
		return file, nil
	}
	folder, err := Folder(env)
	if err != nil {
		return "", err
	}
	return filepath.Join(folder, "config"), nil
}

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
