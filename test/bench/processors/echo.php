<?php

declare(strict_types=1);

// The echo processor on our PHP client. It decodes each record's data. ../go/echochild/main.go
// describes its notes.

require __DIR__ . '/../../../clients/php/src/KinesisMultilang.php';

use KinesisMultilang\Checkpointer;
use KinesisMultilang\Process;
use KinesisMultilang\RecordProcessor;

final class EchoProcessor extends RecordProcessor
{
    private const NANOS_PER_MICRO = 1000;
    private const MICROS_PER_SECOND = 1000000;

    /** @var resource */
    private $notes;

    public function __construct()
    {
        $this->notes = fopen(getenv('BENCH_NOTES') . '/' . getmypid(), 'wb');
        $this->note('start');
    }

    public function initialize(string $shardId, string $sequenceNumber, int $subSequenceNumber): void
    {
        $this->note('init');
    }

    public function processRecords(
        array $records,
        Checkpointer $checkpointer,
        ?int $millisBehindLatest
    ): void {
        $bytes = 0;
        foreach ($records as $record) {
            $bytes += strlen($record->data);
        }
        $this->note('batch', count($records), $bytes);
    }

    public function shardEnded(Checkpointer $checkpointer): void
    {
        $checkpointer->checkpoint();
    }

    public function shutdownRequested(Checkpointer $checkpointer): void
    {
        $checkpointer->checkpoint();
    }

    private function note(string $word, int ...$numbers): void
    {
        // As whole numbers: the nanoseconds since 1970 exceed the precision of a float.
        ['sec' => $seconds, 'usec' => $micros] = gettimeofday();
        $nanos = ($seconds * self::MICROS_PER_SECOND + $micros) * self::NANOS_PER_MICRO;
        fwrite($this->notes, implode(' ', [$word, $nanos, ...$numbers]) . "\n");
    }
}

Process::main(new EchoProcessor());
