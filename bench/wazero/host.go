package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Functions of reglet_host that only answer an error: the plugins measured here do not call them.
var unavailable = []string{"dns_lookup", "http_request", "tcp_connect", "smtp_connect", "exec_command", "ssrf_check",
	"fs_read", "fs_write", "net_connect", "env_get", "exec_run"}

// provideHost puts the module reglet_host into a runtime. Each message in the log goes to heard as well.
func provideHost(ctx context.Context, runtime wazero.Runtime, heard func(logMessage)) error {
	builder := runtime.NewHostModuleBuilder("reglet_host")
	builder.NewFunctionBuilder().WithFunc(func(_ context.Context, guest api.Module, request uint64) {
		var message logMessage
		if readJSON(guest, request, &message) == nil {
			heard(message)
		}
	}).Export("log_message")
	builder.NewFunctionBuilder().WithFunc(func(ctx context.Context, guest api.Module, request uint64) uint64 {
		var asked statRequest
		if err := readJSON(guest, request, &asked); err != nil {
			return respond(ctx, guest, failed("validation", err))
		}
		return respond(ctx, guest, stat(asked))
	}).Export("fs_stat")
	for _, name := range unavailable {
		builder.NewFunctionBuilder().WithFunc(func(ctx context.Context, guest api.Module, _ uint64) uint64 {
			return respond(ctx, guest, failed("internal", fmt.Errorf("%s is not provided", name)))
		}).Export(name)
	}
	_, err := builder.Instantiate(ctx)
	return err
}

type callContext struct {
	Deadline  *time.Time `json:"deadline"`
	TimeoutMS int64      `json:"timeout_ms"`
	RequestID string     `json:"request_id"`
	Canceled  bool       `json:"canceled"`
}

type logMessage struct {
	Context   callContext `json:"context"`
	Level     string      `json:"level"`
	Message   string      `json:"message"`
	Timestamp time.Time   `json:"timestamp"`
	Attrs     []struct {
		Key   string `json:"key"`
		Type  string `json:"type"`
		Value string `json:"value"`
	} `json:"attrs"`
}

type statRequest struct {
	Context callContext `json:"context"`
	Path    string      `json:"path"`
	Follow  *bool       `json:"follow"`
	// Whether to tell if it could be opened for reading.
	Readable bool `json:"readable"`
}

type failure struct {
	Message string `json:"message"`
	Type    string `json:"type"`
	Code    string `json:"code"`
}

type statResponse struct {
	Exists   bool     `json:"exists"`
	Type     string   `json:"type,omitempty"`
	Size     int64    `json:"size"`
	Mode     string   `json:"mode,omitempty"`
	UID      uint32   `json:"uid"`
	GID      uint32   `json:"gid"`
	Owner    string   `json:"owner,omitempty"`
	Group    string   `json:"group,omitempty"`
	ModTime  string   `json:"mod_time,omitempty"`
	Target   string   `json:"target,omitempty"`
	Readable bool     `json:"readable,omitempty"`
	Error    *failure `json:"error,omitempty"`
}

func failed(kind string, err error) statResponse {
	return statResponse{Error: &failure{Message: err.Error(), Type: kind, Code: "FAILED"}}
}

// stat answers what the library's own fs_stat does for a regular file, names of owner and group included.
func stat(asked statRequest) statResponse {
	look := os.Stat
	if asked.Follow != nil && !*asked.Follow {
		look = os.Lstat
	}
	info, err := look(asked.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return statResponse{}
	}
	if err != nil {
		return failed("execution", err)
	}
	response := statResponse{Exists: true, Type: "file", Size: info.Size(), Mode: fmt.Sprintf("%04o", info.Mode().Perm()),
		ModTime: info.ModTime().UTC().Format(time.RFC3339Nano)}
	if system, ok := info.Sys().(*syscall.Stat_t); ok {
		response.UID, response.GID = system.Uid, system.Gid
	}
	response.Owner, response.Group = owners.name(response.UID), groups.name(response.GID)
	if asked.Readable {
		response.Readable = canRead(asked.Path)
	}
	return response
}

func canRead(path string) bool {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	file.Close()
	return true
}

// names keeps what accounts are called for a second, as the library does.
type names struct {
	lookup func(id string) (string, error)
	lock   sync.Mutex
	since  time.Time
	known  map[uint32]string
}

var owners = names{lookup: func(id string) (string, error) {
	account, err := user.LookupId(id)
	if err != nil {
		return "", err
	}
	return account.Username, nil
}}

var groups = names{lookup: func(id string) (string, error) {
	group, err := user.LookupGroupId(id)
	if err != nil {
		return "", err
	}
	return group.Name, nil
}}

func (names *names) name(id uint32) string {
	names.lock.Lock()
	defer names.lock.Unlock()
	if time.Since(names.since) > time.Second {
		names.since, names.known = time.Now(), map[uint32]string{}
	}
	name, found := names.known[id]
	if !found {
		name, _ = names.lookup(strconv.FormatUint(uint64(id), 10))
		names.known[id] = name
	}
	return name
}

// --- Memory of the guest -----------------------------------------------------------------------------------------

func read(guest api.Module, packed uint64) ([]byte, error) {
	bytes, ok := guest.Memory().Read(uint32(packed>>32), uint32(packed))
	if !ok || len(bytes) == 0 {
		return nil, errors.New("the guest's answer is empty or outside its memory")
	}
	return bytes, nil
}

func readJSON(guest api.Module, packed uint64, into any) error {
	bytes, err := read(guest, packed)
	if err != nil {
		return err
	}
	return json.Unmarshal(bytes, into)
}

// write puts bytes into memory that the guest allocates for them.
func write(ctx context.Context, guest api.Module, bytes []byte) (uint64, error) {
	answer, err := guest.ExportedFunction("allocate").Call(ctx, uint64(len(bytes)))
	if err != nil {
		return 0, err
	}
	if !guest.Memory().Write(uint32(answer[0]), bytes) {
		return 0, errors.New("allocate answered memory outside")
	}
	return answer[0]<<32 | uint64(len(bytes)), nil
}

func respond(ctx context.Context, guest api.Module, response any) uint64 {
	bytes, err := json.Marshal(response)
	if err != nil {
		return 0
	}
	packed, err := write(ctx, guest, bytes)
	if err != nil {
		return 0
	}
	return packed
}
