// Does a file have a certain line?
package main

import (
	"os"
	"slices"
	"strings"
)

func init() {
	plugin = Plugin{
		Name:         "@NAME@",
		Version:      "0.1.0",
		Description:  "Says whether a file has a certain line",
		Capabilities: []Capability{{"fs", "read:/etc/**"}},
		Fields: []Field{
			{Name: "path", Type: "string", Required: true, Description: "The file"},
			{Name: "line", Type: "string", Required: true, Description: "What to look for"},
		},
		Observe: observe,
	}
}

func observe(config Config) (Data, error) {
	text, err := os.ReadFile(config.String("path"))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	return Data{"found": slices.Contains(lines, config.String("line")), "lines": len(lines)}, nil
}
