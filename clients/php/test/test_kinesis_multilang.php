<?php

declare(strict_types=1);

// Run with: php test/test_kinesis_multilang.php

require __DIR__ . '/../src/KinesisMultilang.php';

use KinesisMultilang\CheckpointError;
use KinesisMultilang\Checkpointer;
use KinesisMultilang\MalformedMessage;
use KinesisMultilang\Process;
use KinesisMultilang\RecordProcessor;

set_error_handler(static function (int $level, string $message, string $file, int $line): bool {
    if (error_reporting() & $level) {
        throw new ErrorException($message, 0, $level, $file, $line);
    }
    return false;
});

const INITIALIZE = ['action' => 'initialize', 'shardId' => 'shardId-0',
    'sequenceNumber' => 'TRIM_HORIZON', 'subSequenceNumber' => 0];
const SEQUENCE_NUMBER = '49590338271490256608559692538361571095921575989136588898';
const RECORD = ['data' => 'Y2F0', 'partitionKey' => "schl\u{fc}ssel\u{2028}", 'sequenceNumber' => SEQUENCE_NUMBER,
    'approximateArrivalTimestamp' => 1700000000123, 'subSequenceNumber' => 3, 'action' => 'record'];
const PROCESS = ['action' => 'processRecords', 'records' => [RECORD], 'millisBehindLatest' => 5];

/** Its processRecords is a closure. The other methods record what they received. */
final class Closures extends RecordProcessor
{
    /** @var list<array> */
    public $seen = [];
    /** @var Closure */
    private $process;

    public function __construct(?Closure $process = null)
    {
        $this->process = $process ?? static function (): void {
        };
    }

    public function initialize(string $shardId, string $sequenceNumber, int $subSequenceNumber): void
    {
        $this->seen[] = ['initialize', $shardId, $sequenceNumber, $subSequenceNumber];
    }

    public function processRecords(array $records, Checkpointer $checkpointer, ?int $millisBehindLatest): void
    {
        ($this->process)($records, $checkpointer, $millisBehindLatest, $this);
    }

    public function leaseLost(): void
    {
        $this->seen[] = ['leaseLost'];
    }

    public function shardEnded(Checkpointer $checkpointer): void
    {
        $this->seen[] = ['shardEnded', $checkpointer];
    }

    public function shutdownRequested(Checkpointer $checkpointer): void
    {
        $this->seen[] = ['shutdownRequested', $checkpointer];
    }
}

final class Played
{
    /** @var list<array> */
    public $written = [];
    /** @var string */
    public $errors = '';
    /** @var list<float> */
    public $waits = [];
    /** @var Throwable|null */
    public $failure;
}

function ack(?string $error = null): array
{
    return ['action' => 'checkpoint', 'sequenceNumber' => null, 'subSequenceNumber' => null, 'error' => $error];
}

function status(string $action): array
{
    return ['action' => 'status', 'responseFor' => $action];
}

function line($message): string
{
    return (is_string($message) ? $message : json_encode($message, JSON_THROW_ON_ERROR)) . "\n";
}

/** @param array|string ...$messages */
function play(RecordProcessor $processor, ...$messages): Played
{
    [$input, $output, $error] = array_map(static function () {
        return fopen('php://memory', 'w+b');
    }, [1, 2, 3]);
    fwrite($input, implode('', array_map('line', $messages)));
    rewind($input);
    $played = new Played();
    $sleep = static function (float $seconds) use ($played): void {
        $played->waits[] = $seconds;
    };
    try {
        (new Process($processor, $input, $output, $error, $sleep))->run();
    } catch (Throwable $failure) {
        $played->failure = $failure;
    }
    rewind($output);
    rewind($error);
    foreach (array_filter(explode("\n", stream_get_contents($output))) as $line) {
        $played->written[] = json_decode($line, true, 512, JSON_THROW_ON_ERROR);
    }
    $played->errors = stream_get_contents($error);
    return $played;
}

function checkpointing(...$arguments): Closures
{
    return new Closures(static function (array $records, Checkpointer $checkpointer) use ($arguments): void {
        $checkpointer->checkpoint(...$arguments);
    });
}

function same($expected, $actual, string $what = ''): void
{
    if ($expected === $actual) {
        return;
    }
    throw new LogicException("$what: expected " . var_export($expected, true) . ', found ' . var_export($actual, true));
}

function runProgram(string $body): array
{
    $library = var_export(realpath(__DIR__ . '/../src/KinesisMultilang.php'), true);
    $program = "require $library;
        final class P extends KinesisMultilang\RecordProcessor {
            public function processRecords(array \$records, KinesisMultilang\Checkpointer \$c, ?int \$b): void { $body }
            public function shardEnded(KinesisMultilang\Checkpointer \$c): void {}
        }
        KinesisMultilang\Process::main(new P());";
    $pipes = [];
    $command = [PHP_BINARY, '-d', 'memory_limit=32M', '-r', $program];
    $child = proc_open($command, [['pipe', 'r'], ['pipe', 'w'], ['pipe', 'w']], $pipes);
    $long = ['action' => 'leaseLost', 'longerThanAnyBuffer' => str_repeat('A', 300000)];
    fwrite($pipes[0], line(PROCESS));
    @fwrite($pipes[0], line($long));
    fclose($pipes[0]);
    [$out, $error] = [stream_get_contents($pipes[1]), stream_get_contents($pipes[2])];
    return [$out, $error, proc_close($child)];
}

$tests = [
    'answers every action' => static function (): void {
        $actions = ['shutdownRequested', 'leaseLost', 'shardEnded'];
        $messages = array_map(static function (string $action): array {
            return ['action' => $action];
        }, $actions);
        $processor = new Closures();
        $played = play($processor, INITIALIZE, PROCESS, ...$messages);
        same(null, $played->failure);
        same(array_map('status', ['initialize', 'processRecords', ...$actions]), $played->written);
        same(['initialize', ...$actions], array_column($processor->seen, 0));
    },
    'gives the fields of the messages' => static function (): void {
        $batch = null;
        $processor = new Closures(static function (array $records, $checkpointer, ?int $behind) use (&$batch): void {
            $batch = [$records[0], $behind, count($records)];
        });
        play($processor, INITIALIZE, PROCESS);
        same(['initialize', 'shardId-0', 'TRIM_HORIZON', 0], $processor->seen[0]);
        [$record, $behind, $count] = $batch;
        same([5, 1], [$behind, $count]);
        same(['cat', RECORD['partitionKey'], SEQUENCE_NUMBER, 3, 1700000000123], array_values(get_object_vars($record)));
    },
    'keeps bytes that are not text' => static function (): void {
        $data = null;
        $processor = new Closures(static function (array $records) use (&$data): void {
            $data = $records[0]->data;
        });
        $bytes = "\x00\xff\n\xc3";
        play($processor, ['records' => [['data' => base64_encode($bytes)] + RECORD]] + PROCESS);
        same($bytes, $data);
    },
    'sends the arguments of checkpoints' => static function (): void {
        $cases = [[[], null, null], [[null], null, null], [['7'], '7', null], [['7', 2], '7', 2]];
        foreach ($cases as [$arguments, $sequenceNumber, $sub]) {
            $request = ['action' => 'checkpoint', 'sequenceNumber' => $sequenceNumber, 'subSequenceNumber' => $sub];
            $played = play(checkpointing(...$arguments), PROCESS, ack());
            same([$request, status('processRecords')], $played->written);
        }
        $atRecord = new Closures(static function (array $records, Checkpointer $checkpointer): void {
            $checkpointer->checkpoint($records[0]);
        });
        $request = ['action' => 'checkpoint', 'sequenceNumber' => SEQUENCE_NUMBER, 'subSequenceNumber' => 3];
        same($request, play($atRecord, PROCESS, ack())->written[0]);
    },
    'retries throttled checkpoints' => static function (): void {
        $errors = ['ThrottlingException', 'KinesisClientLibDependencyException', 'ThrottlingException'];
        $played = play(checkpointing(), PROCESS, ...array_map('ack', [...$errors, null]));
        same([null, 5, 3], [$played->failure, count($played->written), count($played->waits)]);
        foreach ($played->waits as $index => $wait) {
            same(true, 0.1 * 2 ** $index <= $wait && $wait <= 0.2 * 2 ** $index, "wait $wait");
        }
    },
    'gives up after eight attempts' => static function (): void {
        $played = play(checkpointing(), PROCESS, ...array_fill(0, 8, ack('ThrottlingException')));
        same(['ThrottlingException', 8], [$played->failure->getMessage(), count($played->written)]);
        same(true, max($played->waits) <= 5.0);
    },
    'does not retry errors that cannot succeed' => static function (): void {
        foreach (['ShutdownException', 'InvalidStateException', 'NullPointerException'] as $error) {
            $played = play(checkpointing(), PROCESS, ack($error));
            same(CheckpointError::class, get_class($played->failure));
            same([$error, 1], [$played->failure->getMessage(), count($played->written)]);
        }
    },
    'reports any other message than the response as an error' => static function (): void {
        same('InvalidStateException', play(checkpointing(), PROCESS, PROCESS)->failure->getMessage());
        same('ShutdownException', play(checkpointing(), PROCESS)->failure->getMessage());
        same(null, play(checkpointing(), PROCESS, ['action' => 'dance'], ack())->failure);
    },
    'refuses a checkpoint after its action' => static function (): void {
        $kept = null;
        $processor = new Closures(static function ($records, Checkpointer $checkpointer) use (&$kept): void {
            $kept = $kept ?? $checkpointer;
            $kept->checkpoint();
        });
        $played = play($processor, PROCESS, ack(), PROCESS, ack());
        same('InvalidStateException', $played->failure->getMessage());
        same(2, count($played->written));
    },
    'ends without a status after an exception' => static function (): void {
        $played = play(new Closures(static function (): void {
            throw new DomainException('no');
        }), PROCESS, PROCESS);
        same(['no', []], [$played->failure->getMessage(), $played->written]);
    },
    'ignores blank lines and unknown actions' => static function (): void {
        $played = play(new Closures(), '', '  ', ['action' => 'dance'], '{}', ack(), INITIALIZE);
        same([status('initialize')], $played->written);
        same(true, strpos($played->errors, 'dance') !== false);
    },
    'reports a line that is not a message as an error' => static function (): void {
        foreach (['null', '7', '[]', '{', '{"action":"initialize"', "{\"action\":\"\xff\"}"] as $line) {
            same(MalformedMessage::class, get_class(play(new Closures(), $line)->failure ?? new stdClass()), $line);
        }
        $bad = ['records' => [['data' => '!'] + RECORD]] + PROCESS;
        same(MalformedMessage::class, get_class(play(new Closures(), $bad)->failure));
    },
    'reads a long line, and frees a batch before the next' => static function (): void {
        $seen = [];
        $processor = new Closures(static function (array $records) use (&$seen): void {
            $seen[] = [strlen($records[0]->data), memory_get_usage()];
        });
        $size = 12 * 1024 * 1024;
        $message = ['records' => [['data' => str_repeat('AAAA', $size / 3)] + RECORD]] + PROCESS;
        play($processor, $message, $message, $message);
        same([$size, $size, $size], array_column($seen, 0));
        same(true, $seen[2][1] - $seen[0][1] < 1024 * 1024, 'memory grows with each batch');
    },
    'logs to a daemon that supports it' => static function (): void {
        $talking = new Closures(static function ($records, $checkpointer, $behind, Closures $processor): void {
            $processor->log('warn', "slow \xff");
        });
        $without = play($talking, PROCESS);
        same([[status('processRecords')], "warn: slow \xff\n"], [$without->written, $without->errors]);
        putenv('KINESIS_MULTILANG_PROTOCOL_VERSION=1');
        $with = play($talking, PROCESS);
        putenv('KINESIS_MULTILANG_PROTOCOL_VERSION');
        same(['action' => 'log', 'level' => 'warn', 'message' => "slow \u{fffd}"], $with->written[0]);
    },
    'keeps prints off STDOUT' => static function (): void {
        [$out, $error, $code] = runProgram(
            "echo \"hello\\n\"; file_put_contents('php://stdout', \"there\\n\"); flush(); passthru('echo child >&2; cat');"
            . ' echo stream_get_contents(fopen("php://stdin", "r"));'
        );
        $statuses = array_map(static function (string $action): string {
            return json_encode(status($action));
        }, ['processRecords', 'leaseLost']);
        same($statuses, preg_split('/\s+/', trim($out)), $error);
        same(["hello\nthere\nchild\n", 0], [$error, $code]);
    },
    'ends the process with 1 after an error' => static function (): void {
        [$out, $error, $code] = runProgram("throw new Exception('no such file');");
        same(['', 1], [$out, $code]);
        same(true, strpos($error, 'no such file') !== false);
    },
    'ends the process with an error when memory runs out' => static function (): void {
        [$out, , $code] = runProgram("str_repeat('A', 64 * 1024 * 1024);");
        same(['', 255], [$out, $code]);
    },
];

foreach ($tests as $name => $test) {
    try {
        $test();
    } catch (Throwable $failure) {
        fwrite(STDERR, "FAILED: $name\n$failure\n");
        exit(1);
    }
}
echo count($tests) . " tests passed\n";
