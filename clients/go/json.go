package kcl

// Reads the daemon's messages while they arrive: a batch is never in memory as text, only as
// records. encoding/json buffers a whole line before it parses anything, then scans it byte by byte
// twice. Nearly all of a batch is base64, where only the end must be found. Values that are not
// plain (escapes, characters beyond ASCII, unexpected types) go to encoding/json one by one, so
// they mean the same here as there.

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	windowBytes = 128 << 10
	// If a long string has made the window larger than this, it is freed after the message.
	keptWindowBytes = 1 << 20
	shownBytes      = 200
)

var (
	errLineEnds = errors.New("the line ends in the middle of it")
	errNotJSON  = errors.New("not JSON")
)

// A message of any action.
type message struct {
	Action string
	InitializeInput
	ProcessRecordsInput
	Error string
	// wrongValue is the first field that has a wrong type. It only matters in actions that the
	// client knows.
	wrongValue error
}

type scanner struct {
	source io.Reader
	// window is what has been read. It is scanned up to at, and kept from mark on.
	window   []byte
	mark, at int
	// begun is how the line starts, for error messages.
	begun []byte
}

func newScanner(source io.Reader) *scanner {
	return &scanner{source: source, window: make([]byte, 0, windowBytes)}
}

// next returns the message of the next line that is not blank; io.EOF at the end of the input.
func (s *scanner) next() (*message, error) {
	if cap(s.window) > keptWindowBytes {
		rest := s.window[s.at:]
		s.window, s.at = append(make([]byte, 0, windowBytes+len(rest)), rest...), 0
	}
	for {
		c, err := s.peek()
		if err != nil {
			return nil, err
		}
		if c != '\n' {
			break
		}
		s.at++
	}
	shown := s.at + shownBytes
	if shown > len(s.window) {
		shown = len(s.window)
	}
	s.begun = append(s.begun[:0], s.window[s.at:shown]...)
	message, err := s.message()
	if errors.Is(err, io.EOF) {
		err = errLineEnds
	}
	if err != nil {
		line, _, _ := bytes.Cut(s.begun, []byte{'\n'})
		return nil, fmt.Errorf("the daemon sent something that is not a message (%w): %q", err, line)
	}
	return message, nil
}

func (s *scanner) message() (*message, error) {
	m := new(message)
	if err := s.object(func(key string) error { return s.messageField(m, key) }); err != nil {
		return nil, err
	}
	if c, err := s.peek(); err == nil && c != '\n' {
		return nil, fmt.Errorf("%w after its end", errNotJSON)
	} else if err != nil && err != io.EOF {
		return nil, err
	}
	if m.Action == "checkpoint" || isKnown(m.Action) {
		return m, m.wrongValue
	}
	return m, nil
}

func (s *scanner) messageField(m *message, key string) error {
	switch key {
	case "action":
		return s.text(m, key, &m.Action)
	case "shardId":
		return s.text(m, key, &m.ShardID)
	case "sequenceNumber":
		return s.text(m, key, &m.SequenceNumber)
	case "subSequenceNumber":
		return s.value(m, key, &m.SubSequenceNumber)
	case "error":
		return s.text(m, key, &m.Error)
	case "millisBehindLatest":
		return s.value(m, key, &m.MillisBehindLatest)
	case "records":
		return s.records(m)
	}
	return s.skip()
}

func (s *scanner) records(m *message) error {
	if c, err := s.peek(); err != nil || c != '[' {
		return s.value(m, "records", &m.Records)
	}
	m.Records = []Record{}
	s.at++
	c, err := s.peek()
	for ; err == nil && c != ']'; c, err = s.peek() {
		if len(m.Records) > 0 {
			if err := s.expect(','); err != nil {
				return err
			}
		}
		m.Records = append(m.Records, Record{})
		if err := s.record(m, &m.Records[len(m.Records)-1]); err != nil {
			return fmt.Errorf("record %d: %w", len(m.Records), err)
		}
	}
	s.at++
	return err
}

func (s *scanner) record(m *message, record *Record) error {
	if c, err := s.peek(); err != nil || c != '{' {
		return s.value(m, "a record", record)
	}
	return s.object(func(key string) error {
		switch key {
		case "data":
			return s.data(m, key, &record.Data)
		case "partitionKey":
			return s.text(m, key, &record.PartitionKey)
		case "sequenceNumber":
			return s.text(m, key, &record.SequenceNumber)
		case "subSequenceNumber":
			return s.integer(m, key, &record.SubSequenceNumber)
		case "approximateArrivalTimestamp":
			return s.integer(m, key, &record.ApproximateArrivalTimestamp)
		}
		return s.skip()
	})
}

// object calls member with each key. member then reads the value.
func (s *scanner) object(member func(key string) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := s.peek()
		if err != nil {
			return err
		}
		if c == '}' && first {
			break
		}
		if c != '"' {
			return fmt.Errorf("%w: a key is wanted", errNotJSON)
		}
		key, err := s.key()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := member(key); err != nil {
			return err
		}
		if c, err = s.peek(); err != nil || c != ',' {
			break
		}
		s.at++
	}
	return s.expect('}')
}

// key returns a string that outlives the window. Known keys are not copied.
func (s *scanner) key() (string, error) {
	quoted, err := s.quoted()
	if err != nil {
		return "", err
	}
	switch string(quoted) {
	case `"data"`:
		return "data", nil
	case `"partitionKey"`:
		return "partitionKey", nil
	case `"sequenceNumber"`:
		return "sequenceNumber", nil
	case `"subSequenceNumber"`:
		return "subSequenceNumber", nil
	case `"approximateArrivalTimestamp"`:
		return "approximateArrivalTimestamp", nil
	case `"action"`:
		return "action", nil
	}
	var key string
	err = json.Unmarshal(quoted, &key)
	return key, err
}

func (s *scanner) data(m *message, key string, target *[]byte) error {
	if c, err := s.peek(); err != nil || c != '"' {
		return s.value(m, key, target)
	}
	quoted, err := s.quoted()
	if err != nil {
		return err
	}
	data, isBase64 := decodeBase64(quoted[1 : len(quoted)-1])
	if !isBase64 {
		return m.decode(key, quoted, target)
	}
	*target = data
	return nil
}

// pairs has the twelve bits of every two base64 digits, indexed as a little-endian number; notPair
// for anything else. encoding/base64, which looks up one digit at a time, takes more than twice as
// long.
var pairs [1 << 16]uint16

const notPair = 1 << 15

func init() {
	for i := range pairs {
		pairs[i] = notPair
	}
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range digits {
		for j := range digits {
			pairs[int(digits[i])|int(digits[j])<<8] = uint16(i<<6 | j)
		}
	}
}

// decodeBase64 reports false if the text is not base64 with padding, or contains line breaks.
func decodeBase64(text []byte) ([]byte, bool) {
	data := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	from, to, seen := text, data, uint16(0)
	// Eight digits become six bytes. Two more are written, and overwritten by the next step.
	for len(from) > 8 && len(to) >= 8 {
		eight := binary.LittleEndian.Uint64(from)
		a, b := pairs[uint16(eight)], pairs[uint16(eight>>16)]
		c, d := pairs[uint16(eight>>32)], pairs[eight>>48]
		seen |= a | b | c | d
		binary.BigEndian.PutUint64(to, uint64(a)<<52|uint64(b)<<40|uint64(c)<<28|uint64(d)<<16)
		from, to = from[8:], to[6:]
	}
	size, err := base64.StdEncoding.Decode(to, from)
	padding := len(from) - len(bytes.TrimRight(from, "="))
	// encoding/base64 skips line breaks. If there were any, the lengths do not match.
	if err != nil || seen >= notPair || len(text)%4 != 0 || size != len(to)-padding {
		return nil, false
	}
	end := len(data) - padding
	return data[:end:end], true
}

func (s *scanner) text(m *message, key string, target *string) error {
	if c, err := s.peek(); err != nil || c != '"' {
		return s.value(m, key, target)
	}
	quoted, err := s.quoted()
	if err != nil {
		return err
	}
	for _, c := range quoted {
		if c < ' ' || c == '\\' || c >= 0x80 {
			return m.decode(key, quoted, target)
		}
	}
	*target = string(quoted[1 : len(quoted)-1])
	return nil
}

func (s *scanner) integer(m *message, key string, target *int64) error {
	raw, err := s.raw()
	if err != nil {
		return err
	}
	value := int64(0)
	for _, c := range raw {
		if c < '0' || c > '9' || len(raw) > 18 || (raw[0] == '0' && len(raw) > 1) {
			return m.decode(key, raw, target)
		}
		value = 10*value + int64(c-'0')
	}
	if len(raw) == 0 {
		return errNotJSON
	}
	*target = value
	return nil
}

// value reads any value with encoding/json, which is slower.
func (s *scanner) value(m *message, key string, target interface{}) error {
	raw, err := s.raw()
	if err != nil {
		return err
	}
	return m.decode(key, raw, target)
}

func (s *scanner) skip() error {
	raw, err := s.raw()
	if err == nil && string(raw) != `"record"` && !json.Valid(raw) {
		err = errNotJSON
	}
	return err
}

func (m *message) decode(key string, raw []byte, target interface{}) error {
	err := json.Unmarshal(raw, target)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", key, err)
	if !isWrongValue(err) {
		return err
	}
	if m.wrongValue == nil {
		m.wrongValue = err
	}
	return nil
}

// isWrongValue reports whether the text is JSON, but of the wrong type for its field.
func isWrongValue(err error) bool {
	var wrongType *json.UnmarshalTypeError
	var notBase64 base64.CorruptInputError
	return errors.As(err, &wrongType) || errors.As(err, &notBase64)
}

// quoted reads a string with its quotes, unchanged. The bytes belong to the window: they are valid
// until the next call.
func (s *scanner) quoted() ([]byte, error) {
	s.mark = s.at
	for seen := 1; ; {
		end := bytes.IndexByte(s.window[s.mark+seen:], '"')
		if end < 0 {
			if bytes.IndexByte(s.window[s.mark+seen:], '\n') >= 0 {
				return nil, errLineEnds // the input may never continue
			}
			seen = len(s.window) - s.mark
			if err := s.fill(); err != nil {
				return nil, err
			}
			continue
		}
		seen += end + 1
		backslashes := 0
		for s.window[s.mark+seen-2-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			s.at = s.mark + seen
			return s.window[s.mark:s.at], nil
		}
	}
}

// raw reads a value of any type, unchanged. It only matches brackets and quotes.
func (s *scanner) raw() ([]byte, error) {
	if _, err := s.peek(); err != nil {
		return nil, err
	}
	s.mark = s.at
	depth, inString, escaped := 0, false, false
	for seen := 0; ; seen++ {
		if s.mark+seen == len(s.window) {
			if err := s.fill(); err != nil {
				return nil, err
			}
		}
		c, ended := s.window[s.mark+seen], 0
		switch {
		case c == '\n':
			return nil, errLineEnds
		case escaped:
			escaped = false
		case inString:
			escaped, inString = c == '\\', c != '"'
			ended = 1
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == ',' || c == '}' || c == ']' || c == ' ' || c == '\t' || c == '\r'):
			s.at = s.mark + seen
			return s.window[s.mark:s.at], nil
		case c == '}' || c == ']':
			depth--
			ended = 1
		}
		if ended == 1 && depth == 0 && !inString {
			s.at = s.mark + seen + 1
			return s.window[s.mark:s.at], nil
		}
	}
}

func (s *scanner) expect(wanted byte) error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	if c != wanted {
		return fmt.Errorf("%w: %q where %q is wanted", errNotJSON, c, wanted)
	}
	s.at++
	return nil
}

// peek skips blanks and returns the byte after them. A line break is not a blank: it ends the
// message.
func (s *scanner) peek() (byte, error) {
	for {
		for ; s.at < len(s.window); s.at++ {
			if c := s.window[s.at]; c != ' ' && c != '\t' && c != '\r' {
				return c, nil
			}
		}
		s.mark = s.at
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

// fill reads more, after moving the part that is kept to the front.
func (s *scanner) fill() error {
	if s.mark > 0 {
		s.window = s.window[:copy(s.window, s.window[s.mark:])]
		s.at, s.mark = s.at-s.mark, 0
	}
	if len(s.window) == cap(s.window) {
		s.window = append(make([]byte, 0, 2*cap(s.window)), s.window...)
	}
	for {
		size, err := s.source.Read(s.window[len(s.window):cap(s.window)])
		s.window = s.window[:len(s.window)+size]
		if size > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
