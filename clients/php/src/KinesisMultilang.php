<?php

declare(strict_types=1);

// Runs a Kinesis record processor in PHP for one shard. It speaks the MultiLangDaemon protocol on
// STDIN and STDOUT. The client reads an action, calls its method and writes its status. Only
// checkpoints come in between. If a method throws, the process ends without a status, so the daemon
// delivers the records again.

namespace KinesisMultilang;

use JsonException;
use RuntimeException;
use Throwable;

/**
 * A checkpoint was not stored. The message is the daemon's error name. `ShutdownException`: another
 * worker holds the lease, or the daemon is gone.
 */
final class CheckpointError extends RuntimeException
{
}

/** The daemon sent something that is not a message. */
final class MalformedMessage extends RuntimeException
{
}

/** One record. The records of a batch are in the order of the shard. */
final class Record
{
    /** @var string the payload, decoded */
    public $data;
    /** @var string */
    public $partitionKey;
    /** @var string up to 128 digits */
    public $sequenceNumber;
    /** @var int the position inside a KPL aggregate, or 0 */
    public $subSequenceNumber;
    /** @var int|null milliseconds since 1970 */
    public $approximateArrivalTimestamp;

    /** @param array<string, mixed> $fields as the daemon sends them */
    public function __construct(array $fields)
    {
        $this->data = base64_decode($fields['data'] ?? '', true);
        if ($this->data === false) {
            throw new MalformedMessage('the data of a record is not base64');
        }
        $this->partitionKey = $fields['partitionKey'] ?? '';
        $this->sequenceNumber = $fields['sequenceNumber'] ?? '';
        $this->subSequenceNumber = $fields['subSequenceNumber'] ?? 0;
        $this->approximateArrivalTimestamp = $fields['approximateArrivalTimestamp'] ?? null;
    }
}

/** Processes the records of one shard. */
abstract class RecordProcessor
{
    /** @var Process|null */
    private $process;

    /**
     * @param string $sequenceNumber where the processor starts: digits, or `TRIM_HORIZON`, `LATEST`
     * or
     *   `AT_TIMESTAMP` without a checkpoint
     */
    public function initialize(string $shardId, string $sequenceNumber, int $subSequenceNumber): void
    {
    }

    /**
     * @param list<Record> $records
     * @param int|null $millisBehindLatest how far the batch is behind the tip of the shard
     */
    abstract public function processRecords(
        array $records,
        Checkpointer $checkpointer,
        ?int $millisBehindLatest
    ): void;

    /** Another worker holds the shard: checkpoints are no longer possible. */
    public function leaseLost(): void
    {
    }

    /** Must call `$checkpointer->checkpoint()`, or the shard's child shards never start. */
    abstract public function shardEnded(Checkpointer $checkpointer): void;

    /** The daemon stops or hands the shard over: the last chance to checkpoint. */
    public function shutdownRequested(Checkpointer $checkpointer): void
    {
    }

    /**
     * Writes to the daemon's log with shard and level, or to STDERR if the daemon has no such log.
     *
     * @param string $level `debug`, `info`, `warn` or `error`
     */
    final public function log(string $level, string $message): void
    {
        if ($this->process === null) {
            fwrite(STDERR, "$level: $message\n");
        } else {
            $this->process->log($level, $message);
        }
    }

    /** @internal */
    final public function runBy(Process $process): void
    {
        $this->process = $process;
    }
}

/** Stores how far the shard is processed. It is valid until its action is answered. */
final class Checkpointer
{
    /** Retried after 0.2 s, doubling to 5 s, about 12 s in all. */
    private const RETRYABLE = ['ThrottlingException', 'KinesisClientLibDependencyException'];
    private const ATTEMPTS = 8;
    private const FIRST_WAIT_SECONDS = 0.2;
    private const LONGEST_WAIT_SECONDS = 5.0;

    /** @var Lines */
    private $lines;
    /** @var callable(float): void */
    private $sleep;
    /** @var bool */
    private $isFinished = false;

    /**
     * @internal
     * @param callable(float): void $sleep waits for a number of seconds
     */
    public function __construct(Lines $lines, callable $sleep)
    {
        $this->lines = $lines;
        $this->sleep = $sleep;
    }

    /**
     * Without arguments, stores the end of all records delivered so far. In `shardEnded` that
     * finishes the shard.
     *
     * @param Record|string|null $at a record, or a sequence number
     * @param int|null $subSequenceNumber the position inside a KPL aggregate
     * @throws CheckpointError errors that can be retried have been retried
     */
    public function checkpoint($at = null, ?int $subSequenceNumber = null): void
    {
        if ($this->isFinished) {
            throw new CheckpointError('InvalidStateException');
        }
        if ($at instanceof Record) {
            [$at, $subSequenceNumber] = [$at->sequenceNumber, $at->subSequenceNumber];
        }
        $request = [
            'action' => 'checkpoint',
            'sequenceNumber' => $at,
            'subSequenceNumber' => $subSequenceNumber,
        ];
        for ($attempt = 1; ; $attempt++) {
            $this->lines->write($request);
            $error = $this->lines->readAnswer()['error'] ?? null;
            if ($error === null) {
                return;
            }
            if (!in_array($error, self::RETRYABLE, true) || $attempt === self::ATTEMPTS) {
                throw new CheckpointError($error);
            }
            $wait = min(self::FIRST_WAIT_SECONDS * 2 ** ($attempt - 1), self::LONGEST_WAIT_SECONDS);
            // Workers that were throttled together must not retry together.
            ($this->sleep)($wait * (0.5 + mt_rand() / mt_getrandmax() / 2));
        }
    }

    /** @internal */
    public function finish(): void
    {
        $this->isFinished = true;
    }
}

/**
 * Messages as lines of JSON. A line may have any length.
 *
 * @internal
 */
final class Lines
{
    private const ACTIONS =
        ['initialize', 'processRecords', 'leaseLost', 'shardEnded', 'shutdownRequested'];

    /** @var resource */
    private $input;
    /** @var resource */
    private $output;
    /** @var resource */
    private $error;

    /**
     * @param resource $input
     * @param resource $output
     * @param resource $error
     */
    public function __construct($input, $output, $error)
    {
        [$this->input, $this->output, $this->error] = [$input, $output, $error];
    }

    /**
     * @return array<string, mixed>|null the next action that this client knows, or null at the end
     */
    public function readAction(): ?array
    {
        while (($message = $this->read()) !== null) {
            if (self::isAction($message)) {
                return $message;
            }
            $this->ignore($message);
        }
        return null;
    }

    /** @return array<string, mixed> */
    public function readAnswer(): array
    {
        while (($message = $this->read()) !== null) {
            if (($message['action'] ?? null) === 'checkpoint') {
                return $message;
            }
            if (self::isAction($message)) {
                throw new CheckpointError('InvalidStateException');
            }
            $this->ignore($message);
        }
        throw new CheckpointError('ShutdownException'); // the daemon is gone
    }

    /** @param array<string, mixed> $message */
    public function write(array $message): void
    {
        $flags = JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES;
        // The line break in front protects the message from anything else on STDOUT.
        $rest = "\n" . json_encode($message, $flags) . "\n";
        while ($rest !== '') {
            $written = @fwrite($this->output, $rest);
            if ($written === false || $written === 0) {
                throw new RuntimeException('the daemon does not read from this process any more');
            }
            $rest = (string) substr($rest, $written);
        }
        fflush($this->output);
    }

    public function warn(string $line): void
    {
        fwrite($this->error, "$line\n");
    }

    /** @return array<string, mixed>|null the next message, or null at the end of the input */
    private function read(): ?array
    {
        while (($line = fgets($this->input)) !== false) {
            // Unlike trim(), this copies nothing.
            $blanks = strspn($line, " \t\r\n");
            if ($blanks === strlen($line)) {
                continue;
            }
            // A JSON list would become an array too.
            if ($line[$blanks] !== '{') {
                throw self::malformed($line);
            }
            try {
                return json_decode($line, true, 512, JSON_THROW_ON_ERROR);
            } catch (JsonException $cause) {
                throw self::malformed($line, $cause);
            }
        }
        return null;
    }

    /** @param array<string, mixed> $message */
    private static function isAction(array $message): bool
    {
        return in_array($message['action'] ?? null, self::ACTIONS, true);
    }

    /** @param array<string, mixed> $message */
    private function ignore(array $message): void
    {
        $action = json_encode($message['action'] ?? null);
        $this->warn("kcl: ignoring an action that this client does not know: $action");
    }

    private static function malformed(string $line, ?Throwable $cause = null): MalformedMessage
    {
        $shown = substr($line, 0, 200);
        return new MalformedMessage(
            "the daemon sent something that is not a message: $shown",
            0,
            $cause
        );
    }
}

/** The main loop, for one shard. */
final class Process
{
    /** @var RecordProcessor */
    private $processor;
    /** @var Lines */
    private $lines;
    /** @var callable(float): void */
    private $sleep;
    /**
     * @var list<resource> the replacements of descriptors 0 and 1; open as long as the process runs
     */
    private static $replacements = [];

    /**
     * @param resource $input
     * @param resource $output
     * @param resource $error
     * @param callable(float): void|null $sleep waits between attempts to checkpoint; it receives
     * seconds
     */
    public function __construct(
        RecordProcessor $processor,
        $input,
        $output,
        $error,
        ?callable $sleep = null
    ) {
        $this->processor = $processor;
        $this->lines = new Lines($input, $output, $error);
        $this->sleep = $sleep ?? static function (float $seconds): void {
            usleep((int) ($seconds * 1e6));
        };
        $processor->runBy($this);
    }

    /**
     * Runs the processor on STDIN and STDOUT, then ends the process: with 0 at the end of STDIN,
     * with 1 after an error. From now on both belong to the protocol. Whatever PHP, its extensions
     * or child processes print goes to STDERR, and their STDIN is empty. The constants STDIN and
     * STDOUT are closed.
     */
    public static function main(RecordProcessor $processor): void
    {
        try {
            [$input, $output] = self::takeStreams();
            (new self($processor, $input, $output, STDERR))->run();
        } catch (Throwable $error) {
            fwrite(STDERR, "$error\n");
            exit(1);
        }
        exit(0);
    }

    /**
     * Handles one action after the other until the end of the input.
     *
     * @throws Throwable what the processor throws
     */
    public function run(): void
    {
        // Nothing here holds the batch, so its memory is free before the next one is read.
        while ($this->answerNext()) {
        }
    }

    /** See {@see RecordProcessor::log()}. */
    public function log(string $level, string $message): void
    {
        if (getenv('KINESIS_MULTILANG_PROTOCOL_VERSION') === false) {
            $this->lines->warn("$level: $message");
        } else {
            $this->lines->write(['action' => 'log', 'level' => $level, 'message' => $message]);
        }
    }

    private function answerNext(): bool
    {
        $action = $this->lines->readAction();
        if ($action === null) {
            return false;
        }
        $checkpointer = new Checkpointer($this->lines, $this->sleep);
        $this->call($action, $checkpointer);
        $checkpointer->finish();
        $this->lines->write(['action' => 'status', 'responseFor' => $action['action']]);
        return true;
    }

    /** @param array<string, mixed> $action the method removes its records */
    private function call(array &$action, Checkpointer $checkpointer): void
    {
        switch ($action['action']) {
            case 'initialize':
                $this->processor->initialize(
                    $action['shardId'],
                    $action['sequenceNumber'] ?? '',
                    $action['subSequenceNumber'] ?? 0
                );
                break;
            case 'processRecords':
                $records = array_map([self::class, 'record'], $action['records']);
                // Otherwise the payloads would be in memory twice while they are processed.
                unset($action['records']);
                $behind = $action['millisBehindLatest'] ?? null;
                $this->processor->processRecords($records, $checkpointer, $behind);
                break;
            case 'leaseLost':
                $this->processor->leaseLost();
                break;
            case 'shardEnded':
                $this->processor->shardEnded($checkpointer);
                break;
            default:
                $this->processor->shutdownRequested($checkpointer);
        }
    }

    /** @param array<string, mixed> $fields */
    private static function record(array $fields): Record
    {
        return new Record($fields);
    }

    /** @return array{resource, resource} */
    private static function takeStreams(): array
    {
        // Each is a duplicate. Closing a descriptor makes it the lowest free one, so the next file
        // that is opened replaces it.
        $input = fopen('php://fd/0', 'rb');
        $output = fopen('php://fd/1', 'wb');
        fclose(STDIN);
        self::$replacements[] = fopen('/dev/null', 'rb');
        fclose(STDOUT);
        self::$replacements[] = fopen('php://stderr', 'wb');
        return [$input, $output];
    }
}
