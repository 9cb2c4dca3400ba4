package probe

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"
)

// Config says what to do: op is one of stat, read, list, env, write, sleep, hello; the rest depends on it.
type Config struct {
	Op     string `json:"op"`
	Path   string `json:"path"`
	Text   string `json:"text"`
	Name   string `json:"name"`
	Millis int    `json:"millis"`
}

// Failure is an error as the ABI has it.
type Failure struct {
	Message    string `json:"message"`
	Type       string `json:"type"`
	Code       string `json:"code"`
	IsNotFound bool   `json:"is_not_found,omitempty"`
}

// Data is structured evidence. Its keys are the plugin's own.
type Data map[string]any

// Observe does what a config asks for.
func Observe(config []byte) (Data, *Failure) {
	var asked Config
	if err := json.Unmarshal(config, &asked); err != nil {
		return nil, &Failure{Message: err.Error(), Type: "config", Code: "INVALID_CONFIG"}
	}
	data, err := perform(asked)
	if err != nil {
		return nil, failure(err)
	}
	return data, nil
}

func perform(asked Config) (Data, error) {
	switch asked.Op {
	case "stat":
		return stat(asked.Path)
	case "read":
		content, err := os.ReadFile(asked.Path)
		return Data{"content": string(content), "size": len(content)}, err
	case "list":
		return list(asked.Path)
	case "env":
		value, found := os.LookupEnv(asked.Name)
		return Data{"value": value, "found": found, "count": len(os.Environ())}, nil
	case "write":
		return Data{"written": len(asked.Text)}, os.WriteFile(asked.Path, []byte(asked.Text), 0o644)
	case "sleep":
		start := time.Now()
		time.Sleep(time.Duration(asked.Millis) * time.Millisecond)
		return Data{"slept_ms": time.Since(start).Milliseconds()}, nil
	case "hello":
		return Data{"args": os.Args}, nil
	}
	return nil, errors.New("op must be one of stat, read, list, env, write, sleep, hello")
}

func stat(path string) (Data, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	return Data{"name": info.Name(), "size": info.Size(), "is_dir": info.IsDir(),
		"is_symlink": info.Mode()&fs.ModeSymlink != 0, "mod_time": info.ModTime().UTC()}, nil
}

func list(path string) (Data, error) {
	entries, err := os.ReadDir(path)
	names := []string{}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return Data{"names": names}, err
}

func failure(err error) *Failure {
	failed := &Failure{Message: err.Error(), Type: "execution", Code: "FAILED", IsNotFound: errors.Is(err, fs.ErrNotExist)}
	switch {
	case errors.Is(err, fs.ErrPermission):
		failed.Type, failed.Code = "capability", "EACCES"
	case failed.IsNotFound:
		failed.Code = "ENOENT"
	}
	return failed
}
