// Command word-count counts words: each record is one UTF-8 word. The sample stores a shard's
// counts before each checkpoint, so a restart continues from counts that match the checkpoint. If
// the process dies between the two, it counts the words since the last checkpoint twice.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	kcl "kinesis-multilang/clients/go"
)

const checkpointEvery = time.Second

type wordCount struct {
	directory      string
	shardID        string
	counts         map[string]int
	nextCheckpoint time.Time
}

func (w *wordCount) Initialize(input kcl.InitializeInput) error {
	w.shardID = input.ShardID
	w.counts = map[string]int{}
	// Without a checkpoint all records arrive again, so counting starts at zero.
	if w.directory == "" || input.SequenceNumber == "" || strings.Trim(input.SequenceNumber, "0123456789") != "" {
		return nil
	}
	text, err := os.ReadFile(w.file())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &w.counts)
}

func (w *wordCount) ProcessRecords(input kcl.ProcessRecordsInput) error {
	for _, record := range input.Records {
		w.counts[string(record.Data)]++
	}
	if time.Now().Before(w.nextCheckpoint) {
		return nil
	}
	defer func() { w.nextCheckpoint = time.Now().Add(checkpointEvery) }()
	return w.checkpoint(input.Checkpointer)
}

func (w *wordCount) LeaseLost(kcl.LeaseLostInput) error {
	return w.report()
}

func (w *wordCount) ShardEnded(input kcl.ShardEndedInput) error {
	if err := w.checkpoint(input.Checkpointer); err != nil {
		return err
	}
	return w.report()
}

func (w *wordCount) ShutdownRequested(input kcl.ShutdownRequestedInput) error {
	return w.checkpoint(input.Checkpointer)
}

func (w *wordCount) checkpoint(checkpointer *kcl.Checkpointer) error {
	if err := w.save(); err != nil {
		return err
	}
	if err := checkpointer.Checkpoint(); err != nil && !kcl.IsShutdown(err) {
		return err
	}
	return nil // also if the lease is lost: another worker holds the shard, and LeaseLost follows
}

func (w *wordCount) save() error {
	if w.directory == "" {
		return nil
	}
	text, err := json.Marshal(w.counts)
	if err != nil {
		return err
	}
	next := fmt.Sprintf("%s.%d.tmp", w.file(), os.Getpid())
	if err := os.WriteFile(next, text, 0o666); err != nil {
		return err
	}
	return os.Rename(next, w.file())
}

func (w *wordCount) file() string { return filepath.Join(w.directory, w.shardID+".json") }

func (w *wordCount) report() error {
	if w.directory != "" {
		return nil
	}
	text, err := json.Marshal(w.counts)
	fmt.Fprintf(os.Stderr, "%s: %s\n", w.shardID, text)
	return err
}

func main() {
	kcl.Main(&wordCount{directory: os.Getenv("WORD_COUNT_DIR")})
}
