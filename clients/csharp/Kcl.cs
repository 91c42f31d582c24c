// Runs a Kinesis record processor in C# for one shard. It speaks the MultiLangDaemon protocol on
// STDIN and STDOUT. The client reads an action, calls its method and writes its status. Only
// checkpoints come in between. An exception ends the process without a status, so the daemon
// delivers the records again. The names are those of Amazon's ClientLibrary for .NET. It runs under
// .NET and under Mono.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;
using System.Threading;

namespace Amazon.Kinesis.ClientLibrary
{
    /// <summary>Processes the records of one shard.</summary>
    public interface IShardRecordProcessor
    {
        void Initialize(InitializationInput input);

        void ProcessRecords(ProcessRecordsInput input);

        /// <summary>Another worker holds the shard: checkpoints are no longer possible.</summary>
        void LeaseLost(LeaseLossInput input);

        /// <summary>Must call input.Checkpointer.Checkpoint(), or the shard's child shards never
        /// start.</summary>
        void ShardEnded(ShardEndedInput input);

        /// <summary>The daemon stops or hands the shard over: the last chance to
        /// checkpoint.</summary>
        void ShutdownRequested(ShutdownRequestedInput input);
    }

    /// <summary>What every method of a processor receives.</summary>
    public abstract class Input
    {
        internal KclProcess Process;

        /// <summary>Writes to the daemon's log with shard and level (debug, info, warn, error), or
        /// to STDERR if the daemon has no such log.</summary>
        public void Log(string level, string message)
        {
            Process.Log(level, message);
        }
    }

    public sealed class InitializationInput : Input
    {
        public string ShardId { get; internal set; }

        /// <summary>Digits, or TRIM_HORIZON, LATEST or AT_TIMESTAMP without a checkpoint.</summary>
        public string SequenceNumber { get; internal set; }

        public long? SubSequenceNumber { get; internal set; }
    }

    public sealed class ProcessRecordsInput : Input
    {
        /// <summary>In the order of the shard.</summary>
        public List<Record> Records { get; internal set; }

        public Checkpointer Checkpointer { get; internal set; }

        /// <summary>How far the batch is behind the tip of the shard, in milliseconds.</summary>
        public long? MillisBehindLatest { get; internal set; }
    }

    public sealed class LeaseLossInput : Input
    {
    }

    public sealed class ShardEndedInput : Input
    {
        public Checkpointer Checkpointer { get; internal set; }
    }

    public sealed class ShutdownRequestedInput : Input
    {
        public Checkpointer Checkpointer { get; internal set; }
    }

    public sealed class Record
    {
        public byte[] Data { get; internal set; }

        public string PartitionKey { get; internal set; }

        /// <summary>Up to 128 digits, more than a number in C# can hold.</summary>
        public string SequenceNumber { get; internal set; }

        /// <summary>The position inside a KPL aggregate, or 0.</summary>
        public long? SubSequenceNumber { get; internal set; }

        /// <summary>Milliseconds since 1970.</summary>
        public double ApproximateArrivalTimestamp { get; internal set; }
    }

    /// <summary>A checkpoint was not stored. Value is the daemon's error name. ShutdownException:
    /// another worker holds the lease, or the daemon is gone.</summary>
    public sealed class CheckpointException : Exception
    {
        public CheckpointException(string value)
            : base("the checkpoint was not stored: " + value)
        {
            Value = value;
        }

        public string Value { get; private set; }
    }

    /// <summary>The daemon sent something that is not a message.</summary>
    public sealed class MalformedMessageException : Exception
    {
        public MalformedMessageException(string message)
            : base(message)
        {
        }
    }

    /// <summary>Called in place of a CheckpointException.</summary>
    public delegate void CheckpointErrorHandler(string sequenceNumber, string errorMessage, Checkpointer checkpointer);

    /// <summary>Stores how far the shard is processed. It is valid until its action is
    /// answered.</summary>
    public sealed class Checkpointer
    {
        private const int Attempts = 8;
        private const double FirstWaitMs = 200;
        private const double LongestWaitMs = 5000;

        private readonly Lines lines;
        private readonly Action<TimeSpan> sleep;
        private readonly object turn = new object();
        private readonly Random random = new Random();
        private bool isFinished;

        internal Checkpointer(Lines lines, Action<TimeSpan> sleep)
        {
            this.lines = lines;
            this.sleep = sleep;
        }

        /// <summary>Stores the end of all records delivered so far. In ShardEnded that finishes the
        /// shard. Several threads may call it; their checkpoints are sent one after the
        /// other.</summary>
        /// <exception cref="CheckpointException">Errors that can be retried have been retried, and
        /// there is no handler.</exception>
        public void Checkpoint(CheckpointErrorHandler errorHandler = null)
        {
            Checkpoint(null, null, errorHandler);
        }

        /// <summary>Stores the position of a record, even inside a KPL aggregate.</summary>
        public void Checkpoint(Record record, CheckpointErrorHandler errorHandler = null)
        {
            Checkpoint(record.SequenceNumber, record.SubSequenceNumber, errorHandler);
        }

        public void Checkpoint(string sequenceNumber, long? subSequenceNumber = null, CheckpointErrorHandler errorHandler = null)
        {
            string error = Store(sequenceNumber, subSequenceNumber);
            if (error == null) return;
            if (errorHandler == null) throw new CheckpointException(error);
            errorHandler(sequenceNumber, error, this);
        }

        /// <summary>Waits for another thread's checkpoint, then refuses further ones.</summary>
        internal void Finish()
        {
            lock (turn) isFinished = true;
        }

        /// <returns>The daemon's error name, or null if the checkpoint is stored.</returns>
        private string Store(string sequenceNumber, long? subSequenceNumber)
        {
            string request = "{\"action\":\"checkpoint\",\"sequenceNumber\":" + Json.Quote(sequenceNumber)
                + ",\"subSequenceNumber\":" + (subSequenceNumber == null ? "null" : subSequenceNumber.Value.ToString(CultureInfo.InvariantCulture)) + "}";
            lock (turn)
            {
                if (isFinished) return "InvalidStateException";
                for (int attempt = 1; ; attempt++)
                {
                    lines.Write(request);
                    string error = lines.ReadAnswer();
                    bool canPass = error == "ThrottlingException" || error == "KinesisClientLibDependencyException";
                    if (!canPass || attempt == Attempts) return error;
                    double wait = Math.Min(FirstWaitMs * Math.Pow(2, attempt - 1), LongestWaitMs);
                    // Workers that were throttled together must not retry together.
                    sleep(TimeSpan.FromMilliseconds(wait * (0.5 + random.NextDouble() / 2)));
                }
            }
        }
    }

    /// <summary>The main loop, for one shard.</summary>
    public sealed class KclProcess
    {
        private readonly IShardRecordProcessor processor;
        private readonly Lines lines;
        private readonly TextWriter error;
        private readonly Action<TimeSpan> sleep;
        private readonly bool ownsProcess;

        private KclProcess(IShardRecordProcessor processor, Lines lines, TextWriter error, Action<TimeSpan> sleep, bool ownsProcess)
        {
            this.processor = processor;
            this.lines = lines;
            this.error = error;
            this.sleep = sleep ?? Thread.Sleep;
            this.ownsProcess = ownsProcess;
        }

        /// <summary>Uses STDIN and STDOUT, which from now on belong to the protocol. Whatever the
        /// program prints with Console goes to STDERR, and its STDIN is empty. After an exception,
        /// Run ends the process with exit code 1.</summary>
        public static KclProcess Create(IShardRecordProcessor processor)
        {
            Stream input = Console.OpenStandardInput();
            Stream output = Console.OpenStandardOutput();
            Console.SetOut(Console.Error);
            Console.SetIn(TextReader.Null);
            return new KclProcess(processor, new Lines(input, output, Console.Error), Console.Error, null, true);
        }

        /// <summary>Uses other streams, for tests: Run throws what the processor throws.</summary>
        public static KclProcess Create(IShardRecordProcessor processor, Stream input, Stream output, TextWriter error, Action<TimeSpan> sleep = null)
        {
            return new KclProcess(processor, new Lines(input, output, error), error, sleep, false);
        }

        /// <summary>Handles one action after the other until the end of the input.</summary>
        public void Run()
        {
            if (!ownsProcess)
            {
                while (AnswerNext()) { }
                return;
            }
            try
            {
                while (AnswerNext()) { }
            }
            catch (Exception failure)
            {
                error.WriteLine(failure);
                error.Flush();
                Environment.Exit(1);
            }
        }

        internal void Log(string level, string message)
        {
            if (Environment.GetEnvironmentVariable("KINESIS_MULTILANG_PROTOCOL_VERSION") == null)
                error.WriteLine(level + ": " + message);
            else
                lines.Write("{\"action\":\"log\",\"level\":" + Json.Quote(level) + ",\"message\":" + Json.Quote(message) + "}");
        }

        /// <summary>Only this method holds a batch, so its memory is free before the next one is
        /// read.</summary>
        private bool AnswerNext()
        {
            Dictionary<string, object> action = lines.ReadAction();
            if (action == null) return false;
            var checkpointer = new Checkpointer(lines, sleep);
            Call(action, checkpointer);
            checkpointer.Finish();
            lines.Write("{\"action\":\"status\",\"responseFor\":" + Json.Quote((string)action["action"]) + "}");
            return true;
        }

        private void Call(Dictionary<string, object> action, Checkpointer checkpointer)
        {
            switch ((string)action["action"])
            {
                case "initialize":
                    processor.Initialize(new InitializationInput
                    {
                        Process = this,
                        ShardId = Json.Text(action, "shardId"),
                        SequenceNumber = Json.Text(action, "sequenceNumber"),
                        SubSequenceNumber = Json.Number(action, "subSequenceNumber"),
                    });
                    break;
                case "processRecords":
                    processor.ProcessRecords(new ProcessRecordsInput
                    {
                        Process = this,
                        Records = RecordsOf(action),
                        Checkpointer = checkpointer,
                        MillisBehindLatest = Json.Number(action, "millisBehindLatest"),
                    });
                    break;
                case "leaseLost":
                    processor.LeaseLost(new LeaseLossInput { Process = this });
                    break;
                case "shardEnded":
                    processor.ShardEnded(new ShardEndedInput { Process = this, Checkpointer = checkpointer });
                    break;
                default:
                    processor.ShutdownRequested(new ShutdownRequestedInput { Process = this, Checkpointer = checkpointer });
                    break;
            }
        }

        /// <summary>Takes the records out of the message, so that their text can be
        /// freed.</summary>
        private static List<Record> RecordsOf(Dictionary<string, object> action)
        {
            object found;
            var list = action.TryGetValue("records", out found) ? found as List<object> : null;
            if (list == null) throw new MalformedMessageException("the daemon sent processRecords without records");
            action.Remove("records");
            var records = new List<Record>(list.Count);
            for (int index = 0; index < list.Count; index++)
            {
                var fields = list[index] as Dictionary<string, object>;
                if (fields == null) throw new MalformedMessageException("the daemon sent a record that is not an object");
                list[index] = null;
                records.Add(new Record
                {
                    Data = DataOf(fields),
                    PartitionKey = Json.Text(fields, "partitionKey"),
                    SequenceNumber = Json.Text(fields, "sequenceNumber"),
                    SubSequenceNumber = Json.Number(fields, "subSequenceNumber"),
                    ApproximateArrivalTimestamp = Json.Number(fields, "approximateArrivalTimestamp") ?? 0,
                });
            }
            return records;
        }

        private static byte[] DataOf(Dictionary<string, object> fields)
        {
            try
            {
                return Convert.FromBase64String(Json.Text(fields, "data") ?? "");
            }
            catch (FormatException)
            {
                throw new MalformedMessageException("the daemon sent a record whose data is not base64");
            }
        }
    }

    /// <summary>Messages as lines of JSON. A line may have any length. Only \n ends it.</summary>
    internal sealed class Lines
    {
        private const int ChunkBytes = 64 * 1024;
        private const int ShownBytes = 200;
        private static readonly UTF8Encoding Utf8 = new UTF8Encoding(false, true);
        private static readonly HashSet<string> Actions = new HashSet<string>
        {
            "initialize", "processRecords", "leaseLost", "shardEnded", "shutdownRequested",
        };

        private readonly Stream input;
        private readonly Stream output;
        private readonly TextWriter error;
        private readonly object writing = new object();
        private readonly byte[] chunk = new byte[ChunkBytes];
        private int from;
        private int until;

        internal Lines(Stream input, Stream output, TextWriter error)
        {
            this.input = input;
            this.output = output;
            this.error = error;
        }

        /// <returns>The next action that this client knows, or null at the end of the
        /// input.</returns>
        internal Dictionary<string, object> ReadAction()
        {
            for (;;)
            {
                Dictionary<string, object> message = Read();
                if (message == null || IsAction(message)) return message;
                Ignore(message);
            }
        }

        /// <returns>The error in the daemon's response, or null if the checkpoint is
        /// stored.</returns>
        internal string ReadAnswer()
        {
            for (;;)
            {
                Dictionary<string, object> message = Read();
                if (message == null) return "ShutdownException"; // the daemon is gone
                if (NameOf(message) == "checkpoint") return Json.Text(message, "error");
                if (IsAction(message)) return "InvalidStateException";
                Ignore(message);
            }
        }

        /// <summary>The line break in front protects the message from anything else on
        /// STDOUT.</summary>
        internal void Write(string message)
        {
            byte[] bytes = Utf8.GetBytes("\n" + message + "\n");
            lock (writing)
            {
                output.Write(bytes, 0, bytes.Length);
                output.Flush();
            }
        }

        private Dictionary<string, object> Read()
        {
            for (;;)
            {
                string line = ReadLine();
                if (line == null) return null;
                if (line.Trim().Length == 0) continue;
                var message = Json.Read(line) as Dictionary<string, object>;
                if (message == null) throw Json.NoMessage(line);
                return message;
            }
        }

        private string ReadLine()
        {
            MemoryStream before = null;
            for (;;)
            {
                if (from == until)
                {
                    from = 0;
                    until = input.Read(chunk, 0, chunk.Length);
                    if (until == 0) return before == null ? null : Decode(before.GetBuffer(), 0, (int)before.Length);
                }
                int end = Array.IndexOf(chunk, (byte)'\n', from, until - from);
                int start = from;
                from = end < 0 ? until : end + 1;
                if (end >= 0 && before == null) return Decode(chunk, start, end - start);
                before = before ?? new MemoryStream();
                before.Write(chunk, start, (end < 0 ? until : end) - start);
                if (end >= 0) return Decode(before.GetBuffer(), 0, (int)before.Length);
            }
        }

        private static string Decode(byte[] bytes, int start, int count)
        {
            try
            {
                return Utf8.GetString(bytes, start, count);
            }
            catch (ArgumentException)
            {
                throw Json.NoMessage(Encoding.ASCII.GetString(bytes, start, Math.Min(count, ShownBytes)));
            }
        }

        private static string NameOf(Dictionary<string, object> message)
        {
            object name;
            return message.TryGetValue("action", out name) ? name as string : null;
        }

        private static bool IsAction(Dictionary<string, object> message)
        {
            string name = NameOf(message);
            return name != null && Actions.Contains(name);
        }

        private void Ignore(Dictionary<string, object> message)
        {
            error.WriteLine("kcl: ignoring an action that this client does not know: " + NameOf(message));
        }
    }
}
