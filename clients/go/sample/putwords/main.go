//go:build !windows

// Command putwords puts records from STDIN, one per line: a partition key, a tab and a text. It
// writes one line for each record to STDOUT, in the same order, as soon as its outcome is known:
// "stored SHARD_ID SEQUENCE_NUMBER SUB_SEQUENCE_NUMBER" or "failed ERROR". Its arguments are options
// of kinesis-multilang produce, such as --stream words.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"kinesis-multilang/clients/go/producer"
)

// mostUnreported bounds the outcomes that wait for an earlier one.
const mostUnreported = 1 << 16

func main() {
	p, err := producer.Start(os.Args[1:]...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	puts := make(chan *producer.Pending, mostUnreported)
	allStored := make(chan bool)
	go func() { allStored <- report(puts) }()
	err = putLines(p, puts)
	close(puts)
	if !<-allStored || err != nil {
		fmt.Fprintln(os.Stderr, "not all records are stored:", err)
		os.Exit(1)
	}
}

func putLines(p *producer.Producer, puts chan<- *producer.Pending) error {
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			parts := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 2)
			record := producer.Record{PartitionKey: parts[0], Data: []byte(parts[len(parts)-1])}
			puts <- p.Put(context.Background(), record)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if _, err := p.Flush(0); err != nil {
		return err
	}
	_, err := p.Close()
	return err
}

func report(puts <-chan *producer.Pending) bool {
	allStored := true
	for put := range puts {
		stored, err := put.Wait(context.Background())
		var failed *producer.Error
		if errors.As(err, &failed) {
			allStored = false
			fmt.Println("failed", failed.Code)
		} else {
			fmt.Println("stored", stored.ShardID, stored.SequenceNumber, stored.SubSequenceNumber)
		}
	}
	return allStored
}
