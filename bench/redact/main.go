// Redacts a file with the rules of libreglet as a Go host does it: one rule after the other, each with Go's regexp.
//
//	redact RULES FILE N           every rule looks at the whole text
//	redact -keywords RULES FILE N a rule looks only where the text has one of its keywords at all
//
// A line for each time: seconds, and how many bytes the text has afterwards.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

type rule struct {
	ID       string
	Regex    string
	Keywords []string

	compiled *regexp.Regexp
}

var marker = []byte("[REDACTED]")

// Group 1 and further ones are the secret, as far as they took part; else the match is.
func (r *rule) redact(text []byte) []byte {
	matches := r.compiled.FindAllSubmatchIndex(text, -1)
	if matches == nil {
		return text
	}
	out := make([]byte, 0, len(text))
	at := 0
	for _, match := range matches {
		start, end := match[0], match[1]
		for group := 2; group+1 < len(match); group += 2 {
			if match[group] >= 0 {
				start, end = match[group], match[group+1]
				break
			}
		}
		out = append(append(out, text[at:start]...), marker...)
		at = end
	}
	return append(out, text[at:]...)
}

func hasKeyword(lower []byte, keywords []string) bool {
	for _, keyword := range keywords {
		if bytes.Contains(lower, []byte(strings.ToLower(keyword))) {
			return true
		}
	}
	return len(keywords) == 0
}

func readRules(path string) ([]rule, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var rules []rule
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r rule
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, err
		}
		if r.compiled, err = regexp.Compile(r.Regex); err != nil {
			return nil, fmt.Errorf("%s: %w", r.ID, err)
		}
		rules = append(rules, r)
	}
	return rules, lines.Err()
}

func run() error {
	keywords := flag.Bool("keywords", false, "only rules one of whose keywords the text has")
	flag.Parse()
	if flag.NArg() != 3 {
		return fmt.Errorf("usage: redact [-keywords] RULES FILE N")
	}
	rules, err := readRules(flag.Arg(0))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(flag.Arg(1))
	if err != nil {
		return err
	}
	times, err := strconv.Atoi(flag.Arg(2))
	if err != nil {
		return err
	}
	for i := 0; i < times; i++ {
		began := time.Now()
		redacted := text
		var lower []byte
		if *keywords {
			lower = bytes.ToLower(text)
		}
		for j := range rules {
			if !*keywords || hasKeyword(lower, rules[j].Keywords) {
				redacted = rules[j].redact(redacted)
			}
		}
		fmt.Printf("%.6f %d\n", time.Since(began).Seconds(), len(redacted))
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "redact:", err)
		os.Exit(1)
	}
}
