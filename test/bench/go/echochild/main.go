// echochild answers every action at once and does nothing else, so that a measurement sees the
// daemon and not its child. With -work it takes that long for each batch, with
// -each for each record. With -checkpoint it
// checkpoints each batch. It notes in $BENCH_NOTES/<pid> what it received, and when. Each event is
// one line with a word and numbers:
//
//	start NANOS                    the process runs
//	init NANOS                     initialize has arrived
//	batch NANOS RECORDS BYTES      a processRecords line has arrived, with its records and bytes
//	upto NANOS ARRIVAL_NANOS       with -upto: when the batch's last record arrived in the stream
//	age NANOS AGE_NANOS            with -age, for each record: the time since that in its payload
//
// NANOS is the time since 1970. The children in other languages write the same.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Every record contains this once, and nothing else in a line can look like it, because quotes
// inside strings are escaped.
var recordMark = []byte(`"action":"record"`)
var dataMark = []byte(`"data":"`)
var arrivalMark = []byte(`"approximateArrivalTimestamp":`)

func main() {
	started := time.Now()
	age := flag.Bool("age", false, "payloads are times in nanoseconds: note how long ago each was")
	work := flag.Duration("work", 0, "how long to take for each batch")
	each := flag.Duration("each", 0, "how long to take for each record of a batch")
	checkpoint := flag.Bool("checkpoint", false, "checkpoint after each batch")
	upTo := flag.Bool("upto", false, "note when the last record of each batch had arrived in the stream")
	flag.Parse()
	if err := run(started, options{*age, *work, *each, *checkpoint, *upTo}); err != nil {
		fmt.Fprintln(os.Stderr, "echochild:", err)
		os.Exit(1)
	}
}

type options struct {
	age        bool
	work       time.Duration
	each       time.Duration
	checkpoint bool
	upTo       bool
}

func run(started time.Time, options options) error {
	notes, err := os.Create(filepath.Join(os.Getenv("BENCH_NOTES"), strconv.Itoa(os.Getpid())))
	if err != nil {
		return err
	}
	note := func(word string, at time.Time, numbers ...int64) {
		line := fmt.Appendf(nil, "%s %d", word, at.UnixNano())
		for _, number := range numbers {
			line = fmt.Appendf(line, " %d", number)
		}
		notes.Write(append(line, '\n'))
	}
	note("start", started)
	lines := lineReader{source: bufio.NewReaderSize(os.Stdin, 1<<16)}
	for {
		line, err := lines.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		now := time.Now()
		action := actionOf(line)
		switch action {
		case "initialize":
			note("init", now)
		case "processRecords":
			count := bytes.Count(line, recordMark)
			note("batch", now, int64(count), int64(len(line)))
			if options.age {
				eachPayload(line, func(sent int64) { note("age", now, now.UnixNano()-sent) })
			}
			if options.upTo {
				note("upto", now, lastArrival(line))
			}
			time.Sleep(options.work + time.Duration(count)*options.each)
		}
		if action == "shardEnded" || action == "shutdownRequested" || options.checkpoint && action == "processRecords" {
			fmt.Println(`{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}`)
			if _, err := lines.next(); err != nil {
				return err
			}
		}
		fmt.Printf(`{"action":"status","responseFor":"%s"}`+"\n", action)
	}
}

// actionOf reads the value of the first key, which both daemons write first.
func actionOf(line []byte) string {
	fields := bytes.SplitN(line[:min(len(line), 80)], []byte{'"'}, 5)
	if len(fields) < 5 || string(fields[1]) != "action" {
		return ""
	}
	return string(fields[3])
}

// lastArrival reads the last record's time in nanoseconds, or returns 0 without records.
func lastArrival(line []byte) int64 {
	at := bytes.LastIndex(line, arrivalMark)
	if at < 0 {
		return 0
	}
	digits := line[at+len(arrivalMark):]
	end := bytes.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	milli, _ := strconv.ParseInt(string(digits[:max(0, end)]), 10, 64)
	return milli * int64(time.Millisecond)
}

func eachPayload(line []byte, use func(sent int64)) {
	for {
		_, rest, found := bytes.Cut(line, dataMark)
		if !found {
			return
		}
		payload, after, _ := bytes.Cut(rest, []byte{'"'})
		text, _ := base64.StdEncoding.DecodeString(string(payload))
		if sent, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			use(sent)
		}
		line = after
	}
}

// lineReader reads lines of any length into the same memory.
type lineReader struct {
	source *bufio.Reader
	line   []byte
}

func (r *lineReader) next() ([]byte, error) {
	r.line = r.line[:0]
	for {
		part, err := r.source.ReadSlice('\n')
		r.line = append(r.line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return r.line, err
		}
	}
}
