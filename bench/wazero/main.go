// Command wazero is the host that libreglet is measured beside: a Go program on wazero that compiles a plugin once and
// gives each call an instance of its own.
//
//	wazero [-cache DIR] once PLUGIN CONFIG    one observation, its evidence on standard output
//	wazero [-cache DIR] serve PLUGIN CONFIG   runs what bench/README.md describes, a command a line on standard input
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

type host struct {
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	module   wazero.ModuleConfig
	wasm     []byte
	config   []byte
	loaded   []wazero.CompiledModule
	heard    func(logMessage)
}

type evidence struct {
	Status    bool           `json:"status"`
	Error     *failure       `json:"error"`
	Timestamp time.Time      `json:"timestamp"`
	Data      map[string]any `json:"data"`
	Raw       *string        `json:"raw"`
}

func newHost(ctx context.Context, cache, plugin, config string) (*host, error) {
	wasm, err := os.ReadFile(plugin)
	if err != nil {
		return nil, err
	}
	settings := wazero.NewRuntimeConfig().WithMemoryLimitPages(256 << 20 >> 16)
	if cache != "" {
		directory, err := wazero.NewCompilationCacheWithDir(cache)
		if err != nil {
			return nil, err
		}
		settings = settings.WithCompilationCache(directory)
	}
	host := &host{runtime: wazero.NewRuntimeWithConfig(ctx, settings), wasm: wasm, config: []byte(config),
		heard: func(logMessage) {}}
	if _, err = wasi_snapshot_preview1.Instantiate(ctx, host.runtime); err != nil {
		return nil, err
	}
	if err = provideHost(ctx, host.runtime, func(message logMessage) { host.heard(message) }); err != nil {
		return nil, err
	}
	host.module = wazero.NewModuleConfig().WithName("").WithStartFunctions("_start", "_initialize").
		WithFSConfig(wazero.NewFSConfig().WithReadOnlyDirMount("/", "/")).
		WithSysWalltime().WithSysNanotime().WithSysNanosleep().WithRandSource(rand.Reader)
	host.compiled, err = host.runtime.CompileModule(ctx, wasm)
	return host, err
}

// observe is one call: a fresh instance, initialised, asked, read and closed.
func (host *host) observe(ctx context.Context) (*evidence, error) {
	guest, err := host.runtime.InstantiateModule(ctx, host.compiled, host.module)
	if err != nil {
		return nil, err
	}
	defer guest.Close(ctx)
	config, err := write(ctx, guest, host.config)
	if err != nil {
		return nil, err
	}
	answer, err := guest.ExportedFunction("observe").Call(ctx, config>>32, uint64(uint32(config)))
	if err != nil {
		return nil, err
	}
	found := new(evidence)
	if err = readJSON(guest, answer[0], found); err != nil {
		return nil, err
	}
	if !found.Status {
		return nil, fmt.Errorf("the plugin failed: %+v", found.Error)
	}
	return found, nil
}

func (host *host) print(ctx context.Context) error {
	found, err := host.observe(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

// run calls for a while in some threads, and prints the seconds that took and the nanoseconds of each call.
func (host *host) run(ctx context.Context, threads, milliseconds int) error {
	times, errs := make([][]time.Duration, threads), make([]error, threads)
	var running sync.WaitGroup
	begin := time.Now()
	running.Add(threads)
	for i := range threads {
		go func() {
			defer running.Done()
			for again := true; again && errs[i] == nil; again = time.Since(begin) < time.Duration(milliseconds)*time.Millisecond {
				before := time.Now()
				_, errs[i] = host.observe(ctx)
				times[i] = append(times[i], time.Since(before))
			}
		}()
	}
	running.Wait()
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprintf(out, "%.6f", time.Since(begin).Seconds())
	for i := range threads {
		if errs[i] != nil {
			return errs[i]
		}
		for _, each := range times[i] {
			fmt.Fprintf(out, " %d", each.Nanoseconds())
		}
	}
	fmt.Fprintln(out)
	return out.Flush()
}

// hold keeps instances where the plugin says that it has observed, until the next line comes.
func (host *host) hold(ctx context.Context, instances int, lines *bufio.Scanner) error {
	var there, running sync.WaitGroup
	release := make(chan struct{})
	errs := make([]error, instances)
	there.Add(instances)
	host.heard = func(message logMessage) {
		if message.Message == "observed" {
			there.Done()
			<-release
		}
	}
	running.Add(instances)
	for i := range instances {
		go func() {
			defer running.Done()
			_, errs[i] = host.observe(ctx)
		}()
	}
	there.Wait()
	fmt.Println("held")
	lines.Scan()
	close(release)
	running.Wait()
	host.heard = func(logMessage) {}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	fmt.Println("released")
	return nil
}

// load compiles as many more modules that differ in a custom section, and keeps them.
func (host *host) load(ctx context.Context, count int) error {
	for i := range count {
		section := append([]byte("\x00\x0b\x05bench"), fmt.Sprintf("%05d", i)...)
		compiled, err := host.runtime.CompileModule(ctx, append(host.wasm[:len(host.wasm):len(host.wasm)], section...))
		if err != nil {
			return err
		}
		host.loaded = append(host.loaded, compiled)
	}
	runtime.GC()
	fmt.Println("loaded")
	return nil
}

func (host *host) serve(ctx context.Context) error {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var number, milliseconds int
		var err error
		switch line := lines.Text(); {
		case line == "print":
			err = host.print(ctx)
		case scan(line, "run %d %d", &number, &milliseconds):
			err = host.run(ctx, number, milliseconds)
		case scan(line, "load %d different", &number):
			err = host.load(ctx, number)
		case scan(line, "hold %d", &number):
			err = host.hold(ctx, number, lines)
		default:
			err = fmt.Errorf("no such command: %q", line)
		}
		if err != nil {
			return err
		}
	}
	return lines.Err()
}

func scan(line, format string, into ...any) bool {
	count, err := fmt.Sscanf(line, format, into...)
	return err == nil && count == len(into)
}

func main() {
	cache := flag.String("cache", "", "directory of wazero's own compilation cache; without it, none")
	flag.Parse()
	if flag.NArg() != 3 || (flag.Arg(0) != "once" && flag.Arg(0) != "serve") {
		fmt.Fprintln(os.Stderr, "usage: wazero [-cache DIR] once|serve PLUGIN CONFIG")
		os.Exit(2)
	}
	ctx := context.Background()
	host, err := newHost(ctx, *cache, flag.Arg(1), flag.Arg(2))
	if err == nil && flag.Arg(0) == "once" {
		err = host.print(ctx)
	} else if err == nil {
		err = host.serve(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "wazero:", err)
		os.Exit(1)
	}
}
