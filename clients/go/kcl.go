// Package kcl runs an Amazon Kinesis record processor written in Go for one shard. It speaks the
// MultiLangDaemon protocol on STDIN and STDOUT.
//
// The client reads an action, calls its method and writes its status. Only checkpoints come in
// between. If a method returns an error or panics, the process ends without a status, so the daemon
// delivers the records again.
package kcl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"sync"
	"time"
)

// A RecordProcessor handles the actions of the daemon for one shard. Embed [Base] to omit optional
// methods. The client makes one call at a time.
type RecordProcessor interface {
	// Initialize is called first, with the checkpoint to continue from.
	Initialize(InitializeInput) error
	ProcessRecords(ProcessRecordsInput) error
	// LeaseLost is called when another worker holds the shard: checkpoints are no longer possible.
	LeaseLost(LeaseLostInput) error
	// ShardEnded must call Checkpoint, or the shard's child shards never start.
	ShardEnded(ShardEndedInput) error
	// ShutdownRequested is the last chance to checkpoint: the daemon stops or hands the shard over.
	ShutdownRequested(ShutdownRequestedInput) error
}

// Base does nothing for the actions that are optional.
type Base struct{}

func (Base) Initialize(InitializeInput) error               { return nil }
func (Base) LeaseLost(LeaseLostInput) error                 { return nil }
func (Base) ShutdownRequested(ShutdownRequestedInput) error { return nil }

// InitializeInput contains the position where the processor starts.
type InitializeInput struct {
	ShardID string `json:"shardId"`
	// SequenceNumber is decimal, or TRIM_HORIZON, LATEST or AT_TIMESTAMP for a shard without a
	// checkpoint.
	SequenceNumber    string `json:"sequenceNumber"`
	SubSequenceNumber int64  `json:"subSequenceNumber"`
	Log               Log    `json:"-"`
}

// ProcessRecordsInput contains records in the order of the shard.
type ProcessRecordsInput struct {
	Records []Record `json:"records"`
	// MillisBehindLatest is how far the batch is behind the tip of the shard; nil if the service
	// did not report it.
	MillisBehindLatest *int64        `json:"millisBehindLatest"`
	Checkpointer       *Checkpointer `json:"-"`
	Log                Log           `json:"-"`
}

// A Record is one user record. The records of a KPL aggregate share their sequence number.
type Record struct {
	Data              []byte `json:"data"`
	PartitionKey      string `json:"partitionKey"`
	SequenceNumber    string `json:"sequenceNumber"`
	SubSequenceNumber int64  `json:"subSequenceNumber"`
	// ApproximateArrivalTimestamp is in milliseconds since 1970.
	ApproximateArrivalTimestamp int64 `json:"approximateArrivalTimestamp"`
}

type LeaseLostInput struct{ Log Log }

type ShardEndedInput struct {
	Checkpointer *Checkpointer
	Log          Log
}

type ShutdownRequestedInput ShardEndedInput

// Log writes to the daemon's log with shard and level, or to STDERR if the daemon has no such log.
// Levels are debug, info, warn and error.
type Log func(level, message string) error

// Error names of a checkpoint, as in CheckpointError.Value. There may be others.
const (
	Throttling      = "ThrottlingException"
	Dependency      = "KinesisClientLibDependencyException"
	Shutdown        = "ShutdownException" // another worker holds the lease, or the daemon is gone: stop
	InvalidState    = "InvalidStateException"
	IllegalArgument = "IllegalArgumentException"
)

// CheckpointError is the reason why a checkpoint was not stored. Errors that can be retried have
// been retried.
type CheckpointError struct{ Value string }

func (e *CheckpointError) Error() string { return "checkpoint not stored: " + e.Value }

// IsShutdown reports whether a checkpoint failed because another worker holds the lease, or because
// the daemon is gone.
func IsShutdown(err error) bool {
	var failed *CheckpointError
	return errors.As(err, &failed) && failed.Value == Shutdown
}

// Throttled checkpoints are retried: after 0.2 s, doubling to 5 s, about 12 s in all.
const (
	attempts    = 8
	firstWait   = 200 * time.Millisecond
	longestWait = 5 * time.Second
)

// A Checkpointer stores how far the shard is processed. It is valid until its action is answered.
// Several goroutines may use it; their checkpoints are sent one after the other.
type Checkpointer struct {
	driver   *Driver
	mutex    sync.Mutex
	finished bool
}

// Checkpoint stores the end of all records delivered so far; in ShardEnded it finishes the shard.
func (c *Checkpointer) Checkpoint() error { return c.store(checkpoint{Action: "checkpoint"}) }

// CheckpointRecord stores that everything up to and including this record is processed.
func (c *Checkpointer) CheckpointRecord(record Record) error {
	return c.CheckpointAt(record.SequenceNumber, record.SubSequenceNumber)
}

// CheckpointAt stores a position; subSequenceNumber is 0 for a plain record.
func (c *Checkpointer) CheckpointAt(sequenceNumber string, subSequenceNumber int64) error {
	return c.store(checkpoint{"checkpoint", &sequenceNumber, &subSequenceNumber})
}

func (c *Checkpointer) store(request checkpoint) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.finished {
		return fmt.Errorf("after the action was answered: %w", &CheckpointError{InvalidState})
	}
	wait := firstWait
	for attempt := 1; ; attempt++ {
		if err := c.driver.write(request); err != nil {
			return err
		}
		reason, err := c.driver.readAnswer()
		if err != nil || reason == "" {
			return err
		}
		if (reason != Throttling && reason != Dependency) || attempt == attempts {
			return &CheckpointError{reason}
		}
		c.driver.sleep(wait/2 + time.Duration(rand.Int63n(int64(wait/2))))
		if wait *= 2; wait > longestWait {
			wait = longestWait
		}
	}
}

type checkpoint struct {
	Action            string  `json:"action"`
	SequenceNumber    *string `json:"sequenceNumber"`
	SubSequenceNumber *int64  `json:"subSequenceNumber"`
}

// Main runs a processor on STDIN and STDOUT until STDIN is closed, and ends the process with status
// 1 on failure. From then on os.Stdout is STDERR and os.Stdin is empty, so the program can neither
// print between the messages nor read them. (Code that uses file descriptors 0 and 1 by number,
// such as C code, still can.)
func Main(processor RecordProcessor) {
	stdin, stdout := os.Stdin, os.Stdout
	os.Stdout = os.Stderr
	var err error
	if os.Stdin, err = os.Open(os.DevNull); err == nil {
		err = NewDriver(processor, stdin, stdout, os.Stderr).Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kcl: the record processor failed:", err)
		os.Exit(1)
	}
}

// A Driver passes the daemon's messages to a processor.
type Driver struct {
	processor  RecordProcessor
	in         *scanner
	out        io.Writer
	errs       io.Writer
	writing    sync.Mutex
	sleep      func(time.Duration)
	understood bool
}

// NewDriver connects a processor to streams. Tests pass their own; [Main] passes those of the
// process.
func NewDriver(processor RecordProcessor, in io.Reader, out, errs io.Writer) *Driver {
	_, understood := os.LookupEnv("KINESIS_MULTILANG_PROTOCOL_VERSION")
	return &Driver{processor: processor, in: newScanner(in), out: out, errs: errs, sleep: time.Sleep, understood: understood}
}

// Run handles one action after the other until the end of the input.
func (d *Driver) Run() error {
	for {
		message, err := d.in.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !isKnown(message.Action) {
			d.warn("ignoring an action that this client does not know: %q", message.Action)
			continue
		}
		checkpointer := &Checkpointer{driver: d}
		if err := d.call(message, checkpointer); err != nil {
			return fmt.Errorf("%s: %w", message.Action, err)
		}
		checkpointer.mutex.Lock() // waits for another goroutine's checkpoint
		checkpointer.finished = true
		checkpointer.mutex.Unlock()
		if err := d.write(map[string]string{"action": "status", "responseFor": message.Action}); err != nil {
			return err
		}
	}
}

func isKnown(action string) bool {
	switch action {
	case "initialize", "processRecords", "leaseLost", "shardEnded", "shutdownRequested":
		return true
	}
	return false
}

func (d *Driver) call(message *message, checkpointer *Checkpointer) error {
	switch message.Action {
	case "initialize":
		message.InitializeInput.Log = d.Log
		return d.processor.Initialize(message.InitializeInput)
	case "processRecords":
		message.ProcessRecordsInput.Checkpointer, message.ProcessRecordsInput.Log = checkpointer, d.Log
		return d.processor.ProcessRecords(message.ProcessRecordsInput)
	case "leaseLost":
		return d.processor.LeaseLost(LeaseLostInput{d.Log})
	case "shardEnded":
		return d.processor.ShardEnded(ShardEndedInput{checkpointer, d.Log})
	default:
		return d.processor.ShutdownRequested(ShutdownRequestedInput{checkpointer, d.Log})
	}
}

// readAnswer returns the error in the daemon's response to a checkpoint, or an empty string.
func (d *Driver) readAnswer() (string, error) {
	for {
		message, err := d.in.next()
		switch {
		case err == io.EOF:
			return "", fmt.Errorf("the daemon has gone: %w", &CheckpointError{Shutdown})
		case err != nil:
			return "", err
		case message.Action == "checkpoint":
			return message.Error, nil
		case isKnown(message.Action):
			return "", fmt.Errorf("no answer, but %s: %w", message.Action, &CheckpointError{InvalidState})
		}
		d.warn("ignoring an action that this client does not know: %q", message.Action)
	}
}

// write sends one message. The line break in front protects it from anything on STDOUT that has no
// line end.
func (d *Driver) write(message interface{}) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	_, err = d.out.Write(append(append([]byte{'\n'}, text...), '\n'))
	return err
}

// Log is the function that every input carries as Log.
func (d *Driver) Log(level, message string) error {
	if !d.understood {
		_, err := fmt.Fprintf(d.errs, "%s: %s\n", level, message)
		return err
	}
	return d.write(map[string]string{"action": "log", "level": level, "message": message})
}

func (d *Driver) warn(format string, values ...interface{}) {
	fmt.Fprintf(d.errs, "kcl: "+format+"\n", values...)
}
