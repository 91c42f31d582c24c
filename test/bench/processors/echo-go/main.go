// The echo processor on our Go client, which decodes each record's data. ../../go/echochild/main.go
// describes its notes.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	kcl "kinesis-multilang/clients/go"
)

type echo struct {
	kcl.Base
	notes *os.File
}

func (e echo) Initialize(kcl.InitializeInput) error {
	_, err := fmt.Fprintln(e.notes, "init", time.Now().UnixNano())
	return err
}

func (e echo) ProcessRecords(input kcl.ProcessRecordsInput) error {
	bytes := 0
	for _, record := range input.Records {
		bytes += len(record.Data)
	}
	_, err := fmt.Fprintln(e.notes, "batch", time.Now().UnixNano(), len(input.Records), bytes)
	return err
}

func (echo) ShardEnded(input kcl.ShardEndedInput) error {
	return input.Checkpointer.Checkpoint()
}

func (echo) ShutdownRequested(input kcl.ShutdownRequestedInput) error {
	return input.Checkpointer.Checkpoint()
}

func main() {
	notes, err := os.Create(filepath.Join(os.Getenv("BENCH_NOTES"), strconv.Itoa(os.Getpid())))
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(notes, "start", time.Now().UnixNano())
	kcl.Main(echo{notes: notes})
}
