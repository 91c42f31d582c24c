<?php

declare(strict_types=1);

// Counts words: each record is one UTF-8 word. The sample stores a shard's counts before each
// checkpoint, so a restart continues from counts that match the checkpoint. If the process dies
// between the two, it counts the words since the last checkpoint twice.

require __DIR__ . '/../src/KinesisMultilang.php';

use KinesisMultilang\CheckpointError;
use KinesisMultilang\Checkpointer;
use KinesisMultilang\Process;
use KinesisMultilang\RecordProcessor;

final class WordCount extends RecordProcessor
{
    private const CHECKPOINT_EVERY_SECONDS = 1.0;
    private const JSON = JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_FORCE_OBJECT
        | JSON_INVALID_UTF8_SUBSTITUTE;

    /** @var string */
    private $shardId = '';
    /** @var string|null */
    private $file;
    /** @var array<int|string, int> */
    private $counts = [];
    /** @var float */
    private $nextCheckpoint = 0.0;

    public function initialize(string $shardId, string $sequenceNumber, int $subSequenceNumber): void
    {
        $this->shardId = $shardId;
        $folder = getenv('WORD_COUNT_DIR');
        $this->file = $folder === false ? null : "$folder/$shardId.json";
        // Without a checkpoint all records arrive again, so counting starts at zero.
        if ($this->file !== null && ctype_digit($sequenceNumber) && is_file($this->file)) {
            $this->counts = json_decode(file_get_contents($this->file), true, 512, JSON_THROW_ON_ERROR);
        }
    }

    public function processRecords(
        array $records,
        Checkpointer $checkpointer,
        ?int $millisBehindLatest
    ): void {
        foreach ($records as $record) {
            $this->counts[$record->data] = ($this->counts[$record->data] ?? 0) + 1;
        }
        $now = hrtime(true) / 1e9;
        if ($now >= $this->nextCheckpoint) {
            $this->store($checkpointer);
            $this->nextCheckpoint = $now + self::CHECKPOINT_EVERY_SECONDS;
        }
    }

    public function leaseLost(): void
    {
        $this->report();
    }

    public function shardEnded(Checkpointer $checkpointer): void
    {
        $this->store($checkpointer);
        $this->report();
    }

    public function shutdownRequested(Checkpointer $checkpointer): void
    {
        $this->store($checkpointer);
    }

    private function store(Checkpointer $checkpointer): void
    {
        if ($this->file !== null) {
            $draft = $this->file . '.' . getmypid() . '.tmp';
            $stored = @file_put_contents($draft, json_encode($this->counts, self::JSON));
            if ($stored === false || !rename($draft, $this->file)) {
                throw new RuntimeException("cannot write $draft");
            }
        }
        try {
            $checkpointer->checkpoint();
        } catch (CheckpointError $error) {
            // Another worker holds the shard now; leaseLost follows.
            if ($error->getMessage() !== 'ShutdownException') {
                throw $error;
            }
        }
    }

    private function report(): void
    {
        if ($this->file === null) {
            fwrite(STDERR, $this->shardId . ': ' . json_encode($this->counts, self::JSON) . "\n");
        }
    }
}

Process::main(new WordCount());
