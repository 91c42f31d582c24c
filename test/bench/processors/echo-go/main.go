// The echo processor on our Go client: it takes each batch, its data decoded, and answers.
package main

import kcl "kinesis-multilang/clients/go"

type echo struct{}

func (echo) Initialize(kcl.InitializeInput) error         { return nil }
func (echo) ProcessRecords(kcl.ProcessRecordsInput) error { return nil }
func (echo) LeaseLost(kcl.LeaseLostInput) error           { return nil }
func (echo) ShardEnded(input kcl.ShardEndedInput) error {
	return input.Checkpointer.Checkpoint()
}
func (echo) ShutdownRequested(input kcl.ShutdownRequestedInput) error {
	return input.Checkpointer.Checkpoint()
}

func main() { kcl.Main(echo{}) }
