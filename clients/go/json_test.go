package kcl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"reflect"
	"strings"
	"testing"
)

// obvious reads a line as encoding/json alone would.
func obvious(line []byte) (*message, error) {
	var fields struct {
		Action string `json:"action"`
		InitializeInput
		ProcessRecordsInput
		Error string `json:"error"`
	}
	err := json.Unmarshal(line, &fields)
	m := &message{fields.Action, fields.InitializeInput, fields.ProcessRecordsInput, fields.Error, nil}
	if isWrongValue(err) && m.Action != "checkpoint" && !isKnown(m.Action) {
		err = nil
	}
	if err == nil && line[0] != '{' {
		err = errors.New("no object")
	}
	return m, err
}

// pieces is a pipe that returns a few bytes at a time.
type pieces struct {
	text   []byte
	random *rand.Rand
}

func (p *pieces) Read(into []byte) (int, error) {
	if len(p.text) == 0 {
		return 0, io.EOF
	}
	size := 1 + p.random.Intn(40)
	if size > len(into) {
		size = len(into)
	}
	size = copy(into[:size], p.text)
	p.text = p.text[size:]
	return size, nil
}

// compare fails the test unless both readers agree on the message, or both report an error.
func compare(t *testing.T, line []byte, random *rand.Rand) bool {
	t.Helper()
	want, wrong := obvious(line)
	s := newScanner(&pieces{append(append([]byte{}, line...), "\n{\"action\":\"leaseLost\"}\n"...), random})
	s.window = make([]byte, 0, 1+random.Intn(64)) // forces growth in the middle of values
	got, err := s.next()
	if (err == nil) != (wrong == nil) {
		t.Fatalf("%q: error %v, encoding/json says %v", line, err, wrong)
	}
	if err != nil {
		return false
	}
	got.wrongValue = nil
	if isKnown(got.Action) && !reflect.DeepEqual(got, want) {
		t.Fatalf("%q:\ngot  %+v\nwant %+v", line, got, want)
	}
	if next, err := s.next(); err != nil || next.Action != "leaseLost" {
		t.Fatalf("%q: then %v, %v", line, next, err)
	}
	return true
}

type generator struct{ *rand.Rand }

func (g generator) one(of ...string) string { return of[g.Intn(len(of))] }

func (g generator) space() string { return g.one("", "", "", " ", "\t", "\r", "  ") }

func (g generator) quoted() string {
	text := ""
	for i := g.Intn(6); i > 0; i-- {
		text += g.one("a", "key", "7", `\"`, `\\`, `\u2028`, `\ud83d\ude00`, `\ud800`, "\u2028", "é", "😀", "\xff", `\n`, "/", "{", "]", ",")
	}
	return `"` + text + `"`
}

func (g generator) data() string {
	bytes := make([]byte, g.Intn(30))
	g.Read(bytes)
	text, _ := json.Marshal(bytes)
	return g.one(string(text), string(text), string(text), string(text), `null`, `"Y2F0\n"`, "\"Y2F0\rY2F0\"", `"Y2F0\u003d"`, `""`, `"A"`)
}

func (g generator) number() string {
	return g.one("0", "7", "-3", "1767225601000", "9223372036854775807", "99999999999999999999", "1e2", "1.5", "null", "007", "-")
}

func (g generator) unknown(depth int) string {
	switch kind := g.Intn(6); {
	case kind == 0 && depth < 4:
		return "[" + g.space() + g.unknown(depth+1) + "," + g.unknown(depth+1) + "]"
	case kind == 1 && depth < 4:
		return "{" + g.quoted() + ":" + g.space() + g.unknown(depth+1) + "}"
	case kind == 2:
		return g.quoted()
	}
	return g.one("true", "false", "null", "[]", "{}", "1e400", "-0.5E+3", "1267650600228229401496703205376")
}

// object joins fields in any order. Sometimes it omits one or adds an unknown one.
func (g generator) object(fields map[string]string) string {
	if g.Intn(3) == 0 {
		fields["unknown"+g.one("", `\u0041`, "é")] = g.unknown(0)
	}
	parts := []string{}
	for name, value := range fields {
		if g.Intn(12) > 0 {
			parts = append(parts, g.space()+`"`+name+`"`+g.space()+":"+g.space()+value+g.space())
		}
	}
	g.Shuffle(len(parts), func(a, b int) { parts[a], parts[b] = parts[b], parts[a] })
	return "{" + strings.Join(parts, ",") + "}"
}

func (g generator) line() []byte {
	records := []string{}
	for i := g.Intn(4); i > 0; i-- {
		records = append(records, g.object(map[string]string{
			"data": g.data(), "partitionKey": g.quoted(), "sequenceNumber": g.one(`"495903382"`, "null", g.quoted()),
			"approximateArrivalTimestamp": g.number(), "subSequenceNumber": g.one("0", "0", g.number()), "action": `"record"`,
		}))
	}
	return []byte(g.object(map[string]string{
		"action": g.one(`"processRecords"`, `"processRecords"`, `"initialize"`, `"checkpoint"`, `"dance"`), "shardId": g.quoted(),
		"records":            g.one("["+strings.Join(records, ","+g.space())+"]", "null", "7"),
		"millisBehindLatest": g.number(), "error": g.one("null", g.quoted()), "sequenceNumber": g.one("null", g.quoted()),
	}))
}

func TestReadsAnyMessageAsEncodingJSONDoes(t *testing.T) {
	seed := rand.Int63()
	random := rand.New(rand.NewSource(seed))
	generate := generator{random}
	understood := 0
	defer func() { t.Logf("seed %d, %d lines understood", seed, understood) }()
	for i := 0; i < 10_000; i++ {
		line := generate.line()
		for edits := random.Intn(8) - 4; edits > 0; edits-- { // half of the lines stay unchanged
			at := random.Intn(len(line))
			switch random.Intn(3) {
			case 0:
				line = append(line[:at], line[at+1:]...)
			case 1:
				line[at] = "\"\\{}[]:, 0-e\x01B=\x80\r"[random.Intn(17)]
			default:
				line = append(line[:at], append([]byte{"\"\\{}[]:, 1u\x1fB=\xe2"[random.Intn(15)]}, line[at:]...)...)
			}
		}
		if line = bytes.TrimSpace(line); len(line) > 0 && compare(t, line, random) {
			understood++
		}
	}
	equal(t, understood > 1_000, true)
}

func TestATruncatedMessageIsAnErrorAtOnce(t *testing.T) {
	for _, line := range []string{`{"action":"init`, `{"action":`, `{`, `{"records":[{"data":"Y2F`, `{"n":12`, `{"n":[1,`} {
		read, write := io.Pipe()
		go fmt.Fprintln(write, line) // and nothing more
		_, err := newScanner(read).next()
		equal(t, errors.Is(err, errLineEnds) || errors.Is(err, errNotJSON), true)
		equal(t, strings.Contains(err.Error(), fmt.Sprintf("%q", line)), true)
	}
}

func TestFreesTheMemoryOfALongString(t *testing.T) {
	s := newScanner(strings.NewReader(strings.Replace(process, "Y2F0", strings.Repeat("AAAA", 1<<20), 1) + "\n" + process))
	_, err := s.next()
	equal(t, err, nil)
	equal(t, cap(s.window) > keptWindowBytes, true)
	_, err = s.next()
	equal(t, err, nil)
	equal(t, cap(s.window) <= 2*windowBytes, true)
}
