// Command calls is a plugin of the first ABI generation that asks the host for everything it offers, one function after
// the other, in requests as the field's SDK writes them. Its evidence has each response under the name of the function.
package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"time"

	"guests/probe"
)

// Config says whom to ask; the test knows.
type Config struct {
	Host       string `json:"host"`
	TCPPort    string `json:"tcp_port"`
	SMTPPort   string `json:"smtp_port"`
	URL        string `json:"url"`
	Hostname   string `json:"hostname"`
	Nameserver string `json:"nameserver"`
	Command    string `json:"command"`
	Directory  string `json:"directory"`
	Variable   string `json:"variable"`
}

type evidence struct {
	Status    bool
	Error     *probe.Failure
	Timestamp time.Time
	Data      probe.Data
	Raw       *string
}

type capability struct {
	Kind    string `json:"kind"`
	Pattern string `json:"pattern"`
}

//go:wasmexport allocate
func allocate(size uint32) uint32 { return probe.Allocate(size) }

//go:wasmexport deallocate
func deallocate(address, _ uint32) { probe.Deallocate(address) }

//go:wasmexport describe
func describe() uint64 {
	return probe.Pack(map[string]any{"name": "go_calls", "version": "1.0.0", "description": "Calls every function of the host",
		"sdk_version": "1.0.0", "min_host_version": "0.2.0",
		"capabilities": []capability{{"network", "outbound:*"}, {"exec", "**"}, {"fs", "read:**"}, {"fs", "write:**"}, {"env", "*"}}})
}

//go:wasmexport schema
func schema() uint64 {
	return probe.Pack(map[string]any{"type": "object", "properties": map[string]any{}})
}

//go:wasmexport observe
func observe(address, size uint32) uint64 {
	var config Config
	if err := json.Unmarshal(probe.Bytes(address, size), &config); err != nil {
		failed := &probe.Failure{Message: err.Error(), Type: "config", Code: "INVALID_CONFIG"}
		return probe.Pack(evidence{Error: failed, Timestamp: time.Now()})
	}
	data := probe.Data{}
	askNetwork(config, data)
	askMachine(config, data)
	probe.Log("INFO", "asked for everything", probe.Attribute{Key: "functions", Type: "int64", Value: "12"})
	return probe.Pack(evidence{Status: true, Timestamp: time.Now(), Data: data})
}

func askNetwork(config Config, data probe.Data) {
	deadline := time.Now().Add(20 * time.Second)
	context := callContext{Deadline: &deadline, RequestID: "go-request"}
	data["dns_lookup"] = call(dnsLookup, dnsRequest{context, config.Hostname, "A", config.Nameserver})
	data["http_request"] = call(httpRequest, httpMessage{context, "POST", config.URL,
		map[string][]string{"Content-Type": {"text/plain"}, "X-Twice": {"a", "b"}}, base64.StdEncoding.EncodeToString([]byte("from Go"))})
	data["tcp_connect"] = call(tcpConnect, tcpRequest{context, config.Host, config.TCPPort, 5000, false})
	data["smtp_connect"] = call(smtpConnect, smtpRequest{context, config.Host, config.SMTPPort, 5000, false, false})
	data["net_connect"] = call(netConnect, netRequest{context, config.Host, config.TCPPort,
		base64.StdEncoding.EncodeToString([]byte("echo")), 4})
	data["ssrf_check"] = call(ssrfCheck, ssrfRequest{context, config.Host + ":" + config.TCPPort})
}

func askMachine(config Config, data probe.Data) {
	context := callContext{TimeoutMs: 20000}
	file := config.Directory + "/written"
	data["exec_command"] = call(execCommand, execRequest{context, config.Command, []string{"a b", "c"}, "", nil})
	data["exec_run"] = call(execRun, execRequest{context, config.Command, nil, config.Directory, []string{"A=b"}})
	data["fs_write"] = call(fsWrite, writeRequest{context, file, base64.StdEncoding.EncodeToString([]byte("content")), "create"})
	data["fs_read"] = call(fsRead, readRequest{context, file, 3, 2})
	data["fs_stat"] = call(fsStat, statRequest{context, file, true})
	data["env_get"] = call(envGet, envRequest{context, config.Variable})
	data["getenv"] = os.Getenv(config.Variable)
}

func main() {}
