package kcl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"
)

const (
	initialize = `{"action":"initialize","shardId":"shardId-0","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}`
	process    = `{"action":"processRecords","records":[{"data":"Y2F0","partitionKey":"key","sequenceNumber":"49590338271490256608559692538361571095921575989136588898","approximateArrivalTimestamp":1700000000123,"subSequenceNumber":3,"action":"record"}],"millisBehindLatest":5}`
	ok         = `{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}`
	processed  = `{"action":"status","responseFor":"processRecords"}`
	sequence   = "49590338271490256608559692538361571095921575989136588898"
)

func failed(reason string) string {
	return strings.Replace(ok, `"error":null`, `"error":"`+reason+`"`, 1)
}

// functions is a processor whose answers are set by each test.
type functions struct {
	Base
	initialize     func(InitializeInput) error
	processRecords func(ProcessRecordsInput) error
	others         []string
}

func (f *functions) Initialize(input InitializeInput) error {
	if f.initialize == nil {
		return nil
	}
	return f.initialize(input)
}
func (f *functions) ProcessRecords(input ProcessRecordsInput) error {
	if f.processRecords == nil {
		return nil
	}
	return f.processRecords(input)
}
func (f *functions) ShardEnded(input ShardEndedInput) error {
	f.others = append(f.others, "shardEnded")
	return input.Checkpointer.Checkpoint()
}
func (f *functions) ShutdownRequested(input ShutdownRequestedInput) error {
	f.others = append(f.others, "shutdownRequested")
	return input.Checkpointer.Checkpoint()
}

type played struct {
	written []string
	errors  string
	waits   []time.Duration
	err     error
}

// play passes the given messages to a processor and returns the result.
func play(processor RecordProcessor, messages ...string) played {
	var out, errs bytes.Buffer
	result := played{}
	driver := NewDriver(processor, strings.NewReader(strings.Join(messages, "\n")+"\n"), &out, &errs)
	driver.sleep = func(wait time.Duration) { result.waits = append(result.waits, wait) }
	result.err = driver.Run()
	result.errors = errs.String()
	for _, line := range strings.Split(out.String(), "\n") {
		if line != "" {
			result.written = append(result.written, line)
		}
	}
	return result
}

func processing(do func(ProcessRecordsInput) error) *functions { return &functions{processRecords: do} }

func checkpointing() *functions {
	return processing(func(input ProcessRecordsInput) error { return input.Checkpointer.Checkpoint() })
}

func equal(t *testing.T, got, want interface{}) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
}

func TestGivesTheFieldsOfTheMessages(t *testing.T) {
	var first InitializeInput
	var batch ProcessRecordsInput
	processor := &functions{
		initialize:     func(input InitializeInput) error { first = input; return nil },
		processRecords: func(input ProcessRecordsInput) error { batch = input; return nil },
	}
	result := play(processor, initialize, process, `{"action":"leaseLost"}`)
	equal(t, result.err, nil)
	equal(t, result.written, []string{
		`{"action":"status","responseFor":"initialize"}`, processed, `{"action":"status","responseFor":"leaseLost"}`,
	})
	equal(t, []interface{}{first.ShardID, first.SequenceNumber, first.SubSequenceNumber}, []interface{}{"shardId-0", "TRIM_HORIZON", int64(0)})
	equal(t, batch.Records, []Record{{[]byte("cat"), "key", sequence, 3, 1700000000123}})
	equal(t, *batch.MillisBehindLatest, int64(5))
}

func TestNullFieldsAreAbsent(t *testing.T) {
	var batch ProcessRecordsInput
	processor := processing(func(input ProcessRecordsInput) error { batch = input; return nil })
	result := play(processor, `{"action":"processRecords","records":[{"data":null,"partitionKey":null,"sequenceNumber":"1","approximateArrivalTimestamp":null,"subSequenceNumber":0,"action":"record"}],"millisBehindLatest":null}`)
	equal(t, result.err, nil)
	equal(t, batch.Records, []Record{{SequenceNumber: "1"}})
	equal(t, batch.MillisBehindLatest, (*int64)(nil))
}

func TestCheckpointArguments(t *testing.T) {
	for want, do := range map[string]func(ProcessRecordsInput) error{
		`{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}`:            func(input ProcessRecordsInput) error { return input.Checkpointer.Checkpoint() },
		`{"action":"checkpoint","sequenceNumber":"7","subSequenceNumber":2}`:                func(input ProcessRecordsInput) error { return input.Checkpointer.CheckpointAt("7", 2) },
		`{"action":"checkpoint","sequenceNumber":"` + sequence + `","subSequenceNumber":3}`: func(input ProcessRecordsInput) error { return input.Checkpointer.CheckpointRecord(input.Records[0]) },
	} {
		result := play(processing(do), process, ok)
		equal(t, result.err, nil)
		equal(t, result.written, []string{want, processed})
	}
}

func TestShardEndAndShutdownCheckpoint(t *testing.T) {
	processor := &functions{}
	result := play(processor, `{"action":"shutdownRequested"}`, ok, `{"action":"shardEnded"}`, ok)
	equal(t, result.err, nil)
	equal(t, processor.others, []string{"shutdownRequested", "shardEnded"})
	equal(t, len(result.written), 4)
}

func TestRetriesThrottledCheckpoints(t *testing.T) {
	result := play(checkpointing(), process, failed(Throttling), failed(Dependency), failed(Throttling), ok)
	equal(t, result.err, nil)
	equal(t, len(result.written), 5)
	equal(t, len(result.waits), 3)
	for index, wait := range result.waits {
		longest := firstWait << index
		if wait < longest/2 || wait > longest {
			t.Errorf("wait %d is %v, not between %v and %v", index, wait, longest/2, longest)
		}
	}
}

func TestGivesUpAfterEightAttempts(t *testing.T) {
	messages := []string{process}
	for i := 0; i < 8; i++ {
		messages = append(messages, failed(Throttling))
	}
	result := play(checkpointing(), messages...)
	equal(t, len(result.written), 8)
	var reason *CheckpointError
	equal(t, errors.As(result.err, &reason) && reason.Value == Throttling, true)
}

func TestDoesNotRetryErrorsThatCannotSucceed(t *testing.T) {
	for _, reason := range []string{Shutdown, InvalidState, IllegalArgument, "NullPointerException"} {
		result := play(checkpointing(), process, failed(reason))
		equal(t, len(result.written), 1)
		equal(t, IsShutdown(result.err), reason == Shutdown)
		var got *CheckpointError
		equal(t, errors.As(result.err, &got) && got.Value == reason, true)
	}
}

func TestAnyOtherMessageThanTheResponseIsAnError(t *testing.T) {
	result := play(checkpointing(), process, process)
	var reason *CheckpointError
	equal(t, errors.As(result.err, &reason) && reason.Value == InvalidState, true)
	equal(t, len(result.written), 1)
	equal(t, IsShutdown(play(checkpointing(), process).err), true)
	equal(t, play(checkpointing(), process, `{"action":"dance"}`, ok).err, nil)
}

func TestGoroutinesQueueAndTheStatusWaits(t *testing.T) {
	var kept *Checkpointer
	started := make(chan bool)
	processor := processing(func(input ProcessRecordsInput) error {
		kept = input.Checkpointer
		kept.mutex.Lock()
		go func() {
			defer kept.mutex.Unlock()
			close(started)
			kept.driver.write(checkpoint{Action: "checkpoint"})
			kept.driver.readAnswer()
		}()
		<-started
		return nil
	})
	result := play(processor, process, ok)
	equal(t, result.written[1], processed)
	var reason *CheckpointError
	equal(t, errors.As(kept.Checkpoint(), &reason) && reason.Value == InvalidState, true)
}

func TestAnErrorEndsWithoutAStatus(t *testing.T) {
	result := play(processing(func(ProcessRecordsInput) error { return errors.New("no") }), process, process)
	equal(t, result.err.Error(), "processRecords: no")
	equal(t, len(result.written), 0)
}

func TestIgnoresBlankLinesAndUnknownActions(t *testing.T) {
	result := play(&functions{}, "", "  ", `{"action":"dance","records":7}`, ok, initialize+"\r")
	equal(t, result.err, nil)
	equal(t, len(result.written), 1)
	equal(t, strings.Contains(result.errors, `"dance"`), true)
}

func TestALineThatIsNotAMessageIsAnError(t *testing.T) {
	for _, line := range []string{"null", "7", "{", `{"action":"initialize"`, `{"action":"processRecords","records":[{"data":"?"}]}`} {
		if result := play(&functions{}, line); result.err == nil {
			t.Errorf("%s was taken for a message", line)
		}
	}
}

func TestALongLine(t *testing.T) {
	length := 0
	processor := processing(func(input ProcessRecordsInput) error { length = len(input.Records[0].Data); return nil })
	result := play(processor, strings.Replace(process, "Y2F0", strings.Repeat("AAAA", 4<<20), 1))
	equal(t, result.err, nil)
	equal(t, length, 12<<20)
}

func TestLogGoesToADaemonThatSupportsIt(t *testing.T) {
	talking := processing(func(input ProcessRecordsInput) error { return input.Log("warn", "slow") })
	without := play(talking, process)
	equal(t, without.written, []string{processed})
	equal(t, without.errors, "warn: slow\n")
	t.Setenv("KINESIS_MULTILANG_PROTOCOL_VERSION", "1")
	equal(t, play(talking, process).written, []string{`{"action":"log","level":"warn","message":"slow"}`, processed})
}

// TestMain is also the program that the process tests start.
func TestMain(m *testing.M) {
	switch os.Getenv("KCL_TEST_PROGRAM") {
	case "prints":
		Main(processing(func(ProcessRecordsInput) error {
			fmt.Println("hello")
			_, err := io.Copy(os.Stdout, os.Stdin)
			return err
		}))
	case "fails":
		Main(processing(func(ProcessRecordsInput) error { return errors.New("no such file") }))
	case "panics":
		Main(processing(func(ProcessRecordsInput) error { panic("no such file") }))
	default:
		os.Exit(m.Run())
	}
}

func program(name string) (string, string, int) {
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "KCL_TEST_PROGRAM="+name)
	command.Stdin = strings.NewReader(process + "\n" + `{"action":"leaseLost","longerThanAnyBuffer":"` + strings.Repeat("A", 300_000) + "\"}\n")
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	_ = command.Run()
	return strings.TrimSpace(out.String()), errs.String(), command.ProcessState.ExitCode()
}

func TestPrintsStayOffStdout(t *testing.T) {
	out, errs, code := program("prints")
	lost := `{"action":"status","responseFor":"leaseLost"}`
	equal(t, []interface{}{out, errs, code}, []interface{}{processed + "\n\n" + lost, "hello\n", 0})
}

func TestFailuresEndTheProcess(t *testing.T) {
	for _, name := range []string{"fails", "panics"} {
		out, errs, code := program(name)
		equal(t, out, "")
		equal(t, code != 0 && strings.Contains(errs, "no such file"), true)
	}
}
