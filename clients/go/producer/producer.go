//go:build !windows

// Package producer puts records into Kinesis streams through the program kinesis-multilang produce,
// which aggregates them as the Kinesis Producer Library does, and retries. The package starts the
// program and speaks its protocol.
package producer

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"
)

const (
	protocolVersion = 1
	maxLineBytes    = 16 << 20
	client          = "producer.go 0.1.0"
)

// Record is what a program puts.
type Record struct {
	// PartitionKey has 1 to 256 UTF-16 units.
	PartitionKey string
	Data         []byte
	// ExplicitHashKey is a decimal integer from 0 to 2^128-1, or empty.
	ExplicitHashKey string
	// Stream may be empty if the producer's configuration names one.
	Stream string
}

// Attempt is one attempt to store a record.
type Attempt struct {
	// DelayMillis counts from the end of the attempt before, or from the put.
	DelayMillis    int    `json:"delay"`
	DurationMillis int    `json:"duration"`
	Success        bool   `json:"success"`
	ErrorCode      string `json:"errorCode"`
	ErrorMessage   string `json:"errorMessage"`
	// MaybeStored means that the outcome is unknown: the record may be stored twice if a later
	// attempt succeeds.
	MaybeStored bool `json:"maybeStored"`
}

// Stored tells where a record is stored. A consumer receives it with these numbers.
type Stored struct {
	ShardID string
	// SequenceNumber has decimal digits. The records of one aggregate share it.
	SequenceNumber    string
	SubSequenceNumber int
	Attempts          []Attempt
}

// Error means that a record is not stored. The producer has already retried what a retry can
// resolve. After the code ProducerDied the record may or may not be stored.
type Error struct {
	// Code is a name of the protocol, such as RecordTooLarge, or of a Kinesis error.
	Code     string
	Message  string
	Attempts []Attempt
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Figure is a metric under its name of the KPL.
type Figure struct {
	Name        string            `json:"name"`
	Dimensions  map[string]string `json:"dimensions"`
	Sum         float64           `json:"sum"`
	SampleCount float64           `json:"sampleCount"`
	Min         float64           `json:"min"`
	Max         float64           `json:"max"`
}

// Totals tells what became of all records.
type Totals struct {
	Stored, Failed int
	// NotStored counts records without an outcome when the producer's closeTimeoutMillis was over.
	NotStored int
}

// Pending is a record that was put.
type Pending struct {
	done   chan struct{}
	answer message
	err    *Error
}

// Done is closed when the outcome is known.
func (p *Pending) Done() <-chan struct{} { return p.done }

// Wait waits for the outcome. The error is an *Error, or that of the context.
func (p *Pending) Wait(ctx context.Context) (Stored, error) {
	select {
	case <-p.done:
	case <-ctx.Done():
		return Stored{}, ctx.Err()
	}
	if p.err != nil {
		return Stored{}, p.err
	}
	a := p.answer
	return Stored{a.ShardID, a.SequenceNumber, a.SubSequenceNumber, a.Attempts}, nil
}

func (p *Pending) settle(answer message, err *Error) {
	p.answer, p.err = answer, err
	close(p.done)
}

// message has the fields of all messages of the producer.
type message struct {
	Action            string    `json:"action"`
	ID                int64     `json:"id"`
	ProtocolVersion   int       `json:"protocolVersion"`
	MaxInFlightBytes  int       `json:"maxInFlightBytes"`
	Bytes             int       `json:"bytes"`
	ShardID           string    `json:"shardId"`
	SequenceNumber    string    `json:"sequenceNumber"`
	SubSequenceNumber int       `json:"subSequenceNumber"`
	Attempts          []Attempt `json:"attempts"`
	Line              int       `json:"line"`
	Error             string    `json:"error"`
	Message           string    `json:"message"`
	Stored            int       `json:"stored"`
	Failed            int       `json:"failed"`
	NotStored         int       `json:"notStored"`
	Metrics           []Figure  `json:"metrics"`
}

// Producer puts records from any goroutine.
type Producer struct {
	input  io.WriteCloser
	ended  chan struct{} // closed when the producer's output has ended
	finish func() string // waits for the end of the producer and describes it
	// turn keeps the order of lines. The reader never takes it, so it reads while a write waits.
	turn chan struct{}

	mutex   sync.Mutex    // guards the rest
	changed chan struct{} // closed, and made anew, when there is credit or an end
	waiting map[int64]*Pending
	lastID  int64
	credit  int
	ready   *message
	totals  *Totals
	err     *Error // why nothing can be written any more
}

// Start starts the program. The options are those of kinesis-multilang produce --protocol, such as
// "-p", "producer.properties". The environment variable KINESIS_MULTILANG_PRODUCER replaces the
// whole command.
func Start(options ...string) (*Producer, error) {
	command := strings.Fields(os.Getenv("KINESIS_MULTILANG_PRODUCER"))
	if len(command) == 0 {
		command = append([]string{"kinesis-multilang", "produce", "--protocol"}, options...)
	}
	cmd := exec.Command(command[0], command[1:]...)
	// In a process group of its own: Ctrl-C reaches this program, which then closes the producer.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return open(input, output, func() string {
		_ = cmd.Wait() // its error is in the state
		return fmt.Sprintf("the producer has ended with %v", cmd.ProcessState)
	})
}

// Connect connects to a producer that runs with --listen unix:PATH.
func Connect(path string) (*Producer, error) {
	socket, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return open(sendingSide{socket}, socket, func() string {
		_ = socket.Close() // nothing is left to send
		return "the connection has ended"
	})
}

type sendingSide struct{ *net.UnixConn }

func (s sendingSide) Close() error { return s.CloseWrite() }

func open(input io.WriteCloser, output io.Reader, finish func() string) (*Producer, error) {
	p := &Producer{
		input:   input,
		ended:   make(chan struct{}),
		finish:  finish,
		turn:    make(chan struct{}, 1),
		changed: make(chan struct{}),
		waiting: map[int64]*Pending{},
	}
	go p.read(output)
	if err := p.wait(context.Background(), func() bool { return p.ready != nil }); err != nil {
		return nil, err
	}
	if p.ready.ProtocolVersion != protocolVersion {
		_ = input.Close() // the error below says more
		text := fmt.Sprintf("the producer uses protocol version %d; update this client", p.ready.ProtocolVersion)
		return nil, &Error{Code: "ProducerDied", Message: text}
	}
	line := encode(map[string]interface{}{
		"action": "start", "protocolVersion": protocolVersion, "client": client, "credit": true,
	})
	p.mutex.Lock()
	p.credit -= len(line)
	p.mutex.Unlock()
	p.write(line)
	return p, nil
}

// Put hands over one record. It waits while maxInFlightBytes of records have no outcome yet. If the
// context ends meanwhile, the record is not put, and the outcome is an Error with the code Canceled.
func (p *Producer) Put(ctx context.Context, record Record) *Pending {
	pending := &Pending{done: make(chan struct{})}
	if !utf8.ValidString(record.PartitionKey) {
		// JSON would change it, and with it the shard.
		pending.settle(message{}, &Error{Code: "InvalidRecord", Message: "the partition key is not valid UTF-8"})
		return pending
	}
	fields := map[string]interface{}{
		"action": "put", "partitionKey": record.PartitionKey, "data": append([]byte{}, record.Data...),
	}
	if record.ExplicitHashKey != "" {
		fields["explicitHashKey"] = record.ExplicitHashKey
	}
	if record.Stream != "" {
		fields["stream"] = record.Stream
	}
	p.send(ctx, pending, fields)
	return pending
}

// Flush sends everything that was put before, and waits for the outcomes, at most for the timeout if
// it is not 0. It returns the number of records that still have no outcome.
func (p *Producer) Flush(timeout time.Duration) (int, error) {
	fields := map[string]interface{}{"action": "flush"}
	if timeout != 0 {
		fields["timeoutMs"] = timeout.Milliseconds()
	}
	answer, err := p.ask(fields)
	return answer.NotStored, err
}

// Metrics returns figures: those with the name if it is not empty, and those of the last seconds if
// windowSeconds is not 0.
func (p *Producer) Metrics(name string, windowSeconds int) ([]Figure, error) {
	fields := map[string]interface{}{"action": "metrics"}
	if name != "" {
		fields["name"] = name
	}
	if windowSeconds != 0 {
		fields["windowSeconds"] = windowSeconds
	}
	answer, err := p.ask(fields)
	return answer.Metrics, err
}

// Outstanding returns the number of messages without an answer.
func (p *Producer) Outstanding() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return len(p.waiting)
}

// Close sends everything that was put, waits for the outcomes, and ends the producer. The error is
// an *Error with the code ProducerDied if the producer ended before.
func (p *Producer) Close() (Totals, error) {
	p.turn <- struct{}{}
	p.mutex.Lock()
	if p.err == nil {
		p.err = &Error{Code: "Closed", Message: "the producer is closed"}
	}
	p.mutex.Unlock()
	_ = p.input.Close() // it may have ended already
	<-p.turn
	<-p.ended
	if p.totals == nil {
		return Totals{}, p.err
	}
	return *p.totals, nil
}

func (p *Producer) ask(fields map[string]interface{}) (message, error) {
	pending := &Pending{done: make(chan struct{})}
	p.send(context.Background(), pending, fields)
	<-pending.done
	if pending.err != nil {
		return message{}, pending.err
	}
	return pending.answer, nil
}

func (p *Producer) send(ctx context.Context, pending *Pending, fields map[string]interface{}) {
	p.mutex.Lock()
	p.lastID++
	id := p.lastID
	p.mutex.Unlock()
	fields["id"] = id
	line := encode(fields)
	cost := len(line)
	if cost > maxLineBytes {
		text := fmt.Sprintf("the record takes %d bytes in the protocol; allowed: %d", cost, maxLineBytes)
		pending.settle(message{}, &Error{Code: "RecordTooLarge", Message: text})
		return
	}
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	err := p.wait(ctx, func() bool {
		if fields["action"] == "put" && p.credit < cost && p.credit < p.ready.MaxInFlightBytes {
			return false
		}
		p.credit -= cost
		p.waiting[id] = pending
		return true
	})
	if err != nil {
		pending.settle(message{}, err)
		return
	}
	p.write(line)
}

// wait waits until take returns true, which is called with the mutex held.
func (p *Producer) wait(ctx context.Context, take func() bool) *Error {
	for {
		p.mutex.Lock()
		err, changed := p.err, p.changed
		taken := err == nil && take()
		p.mutex.Unlock()
		if err != nil || taken {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return &Error{Code: "Canceled", Message: "the record was not put: " + ctx.Err().Error()}
		}
	}
}

func encode(fields map[string]interface{}) []byte {
	line, err := json.Marshal(fields)
	if err != nil {
		panic(err) // not possible with strings, numbers and bytes
	}
	return append(line, '\n')
}

func (p *Producer) write(line []byte) {
	_, _ = p.input.Write(line) // if the producer has ended, the reader notices and fails all records
}

func (p *Producer) read(output io.Reader) {
	lines := bufio.NewReaderSize(output, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var answer message
		if err := json.Unmarshal(line, &answer); err != nil {
			fmt.Fprintf(os.Stderr, "producer.go: ignored a line that is not a message: %v\n", err)
			continue
		}
		p.receive(answer)
	}
	p.end(p.finish())
}

func (p *Producer) receive(answer message) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	switch answer.Action {
	case "result", "flushed", "metrics":
		pending, found := p.waiting[answer.ID]
		if !found {
			return
		}
		delete(p.waiting, answer.ID)
		var err *Error
		if answer.Error != "" {
			err = &Error{answer.Error, answer.Message, answer.Attempts}
		}
		pending.settle(answer, err)
	case "ready":
		p.ready = &answer
		p.credit = answer.MaxInFlightBytes
		p.announce()
	case "credit":
		p.credit += answer.Bytes
		p.announce()
	case "closed":
		p.totals = &Totals{answer.Stored, answer.Failed, answer.NotStored}
	case "error":
		fmt.Fprintf(os.Stderr, "producer.go: the producer refused line %d: %s\n", answer.Line, answer.Message)
	}
}

func (p *Producer) end(why string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	err := &Error{Code: "ProducerDied", Message: why + "; see its log on STDERR"}
	p.err = err
	if p.totals != nil {
		err = &Error{Code: "NotStored", Message: "the producer ended before the record had an outcome"}
		p.err = &Error{Code: "Closed", Message: "the producer has ended"}
	}
	for id, pending := range p.waiting {
		delete(p.waiting, id)
		pending.settle(message{}, err)
	}
	p.announce()
	close(p.ended)
}

// announce wakes everyone who waits. The mutex is held.
func (p *Producer) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}
