// Run with: mcs -out:KclTest.exe Json.cs Kcl.cs test/KclTest.cs && mono KclTest.exe

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using Amazon.Kinesis.ClientLibrary;

public static class KclTest
{
    private const string SequenceNumber = "49590338271490256608559692538361571095921575989136588898";
    private const string Initialize = "{\"action\":\"initialize\",\"shardId\":\"shardId-0\",\"sequenceNumber\":\"TRIM_HORIZON\",\"subSequenceNumber\":0}";
    private static readonly string Delivery = Batch("Y2F0");
    private static readonly string CheckpointRequest = "{\"action\":\"checkpoint\",\"sequenceNumber\":null,\"subSequenceNumber\":null}";

    /// <summary>Its ProcessRecords is a delegate. The other methods record what they
    /// received.</summary>
    private sealed class Delegates : IShardRecordProcessor
    {
        internal readonly List<Input> Seen = new List<Input>();
        private readonly Action<ProcessRecordsInput> process;

        internal Delegates(Action<ProcessRecordsInput> process = null)
        {
            this.process = process ?? (input => { });
        }

        public void Initialize(InitializationInput input) { Seen.Add(input); }

        public void ProcessRecords(ProcessRecordsInput input) { process(input); }

        public void LeaseLost(LeaseLossInput input) { Seen.Add(input); }

        public void ShardEnded(ShardEndedInput input) { Seen.Add(input); }

        public void ShutdownRequested(ShutdownRequestedInput input) { Seen.Add(input); }
    }

    private sealed class Played
    {
        internal string[] Written;
        internal string Errors;
        internal readonly List<TimeSpan> Waits = new List<TimeSpan>();
        internal Exception Failure;
    }

    public static int Main(string[] arguments)
    {
        if (arguments.Length > 0) return Program(arguments[0]);
        var tests = new Action[]
        {
            AnswersEveryAction, GivesTheFieldsOfTheMessages, SendsTheArgumentsOfCheckpoints, TriesThrottledCheckpointsAgain,
            GivesUpAfterEightAttempts, DoesNotTryAgainWhatCannotSucceed, CallsTheHandlerInPlaceOfAnException,
            TakesAnotherMessageThanTheAnswerForAnError, RefusesACheckpointAfterItsAction, FinishesTheCheckpointOfAThreadFirst,
            EndsWithoutAStatusAfterAnException, IgnoresBlankLinesAndUnknownActions, TakesWhatIsNoMessageForAnError,
            ReadsAnyJson, QuotesAnyText, ReadsALongLine, FreesABatchBeforeTheNext, LogsToADaemonThatUnderstandsIt,
            KeepsPrintsOffStdout, EndsTheProcessWithOneAfterAnError,
        };
        foreach (Action test in tests)
        {
            try
            {
                test();
            }
            catch (Exception failure)
            {
                Console.Error.WriteLine("FAILED: " + test.Method.Name + "\n" + failure);
                return 1;
            }
        }
        Console.WriteLine(tests.Length + " tests passed");
        return 0;
    }

    private static void AnswersEveryAction()
    {
        var processor = new Delegates();
        Played played = Play(processor, Initialize, Delivery, Bare("shutdownRequested"), Bare("leaseLost"), Bare("shardEnded"));
        Same(null, played.Failure);
        Same(Join(new[] { "initialize", "processRecords", "shutdownRequested", "leaseLost", "shardEnded" }.Select(Status)), Join(played.Written));
        Same("InitializationInput ShutdownRequestedInput LeaseLossInput ShardEndedInput", string.Join(" ", processor.Seen.Select(each => each.GetType().Name)));
    }

    private static void GivesTheFieldsOfTheMessages()
    {
        ProcessRecordsInput batch = null;
        var processor = new Delegates(input => batch = input);
        Play(processor, Initialize, Delivery);
        var first = (InitializationInput)processor.Seen[0];
        Same("shardId-0 TRIM_HORIZON 0", first.ShardId + " " + first.SequenceNumber + " " + first.SubSequenceNumber);
        Record record = batch.Records.Single();
        Same("cat", Encoding.UTF8.GetString(record.Data));
        Same("schl\u00fcssel\u2028\ud83d\ude00", record.PartitionKey);
        Same(SequenceNumber, record.SequenceNumber);
        Same("3 1700000000123 5", record.SubSequenceNumber + " " + record.ApproximateArrivalTimestamp + " " + batch.MillisBehindLatest);
    }

    private static void SendsTheArgumentsOfCheckpoints()
    {
        var cases = new Dictionary<string, Action<ProcessRecordsInput>>
        {
            { "null,\"subSequenceNumber\":null", input => input.Checkpointer.Checkpoint() },
            { "\"7\",\"subSequenceNumber\":null", input => input.Checkpointer.Checkpoint("7") },
            { "\"7\",\"subSequenceNumber\":2", input => input.Checkpointer.Checkpoint("7", 2) },
            { "\"" + SequenceNumber + "\",\"subSequenceNumber\":3", input => input.Checkpointer.Checkpoint(input.Records[0]) },
        };
        foreach (var each in cases)
        {
            Played played = Play(new Delegates(each.Value), Delivery, Ack(null));
            Same("{\"action\":\"checkpoint\",\"sequenceNumber\":" + each.Key + "}", played.Written[0]);
            Same(Status("processRecords"), played.Written[1]);
        }
    }

    private static void TriesThrottledCheckpointsAgain()
    {
        Played played = Play(Checkpointing(), Delivery, Ack("ThrottlingException"), Ack("KinesisClientLibDependencyException"), Ack("ThrottlingException"), Ack(null));
        Same(null, played.Failure);
        Same(5, played.Written.Length);
        Same(3, played.Waits.Count);
        for (int index = 0; index < 3; index++)
        {
            double wait = played.Waits[index].TotalMilliseconds;
            double most = 200 * Math.Pow(2, index);
            Same(true, most / 2 <= wait && wait <= most, "wait " + wait);
        }
    }

    private static void GivesUpAfterEightAttempts()
    {
        Played played = Play(Checkpointing(), new[] { Delivery }.Concat(Enumerable.Repeat(Ack("ThrottlingException"), 8)).ToArray());
        Same("ThrottlingException", ((CheckpointException)played.Failure).Value);
        Same(8, played.Written.Length);
        Same(true, played.Waits.Max() <= TimeSpan.FromSeconds(5));
    }

    private static void DoesNotTryAgainWhatCannotSucceed()
    {
        foreach (string error in new[] { "ShutdownException", "InvalidStateException", "NullPointerException" })
        {
            Played played = Play(Checkpointing(), Delivery, Ack(error));
            Same(error, ((CheckpointException)played.Failure).Value);
            Same(1, played.Written.Length);
        }
    }

    private static void CallsTheHandlerInPlaceOfAnException()
    {
        string told = null;
        Played played = Play(new Delegates(input => input.Checkpointer.Checkpoint("7", null, (at, error, checkpointer) => told = at + " " + error)), Delivery, Ack("ShutdownException"));
        Same(null, played.Failure);
        Same("7 ShutdownException", told);
    }

    private static void TakesAnotherMessageThanTheAnswerForAnError()
    {
        Same("InvalidStateException", ((CheckpointException)Play(Checkpointing(), Delivery, Delivery).Failure).Value);
        Same("ShutdownException", ((CheckpointException)Play(Checkpointing(), Delivery).Failure).Value);
        Same(null, Play(Checkpointing(), Delivery, Bare("dance"), Ack(null)).Failure);
    }

    private static void RefusesACheckpointAfterItsAction()
    {
        Checkpointer kept = null;
        Played played = Play(new Delegates(input => (kept = kept ?? input.Checkpointer).Checkpoint()), Delivery, Ack(null), Delivery, Ack(null));
        Same("InvalidStateException", ((CheckpointException)played.Failure).Value);
        Same(2, played.Written.Length);
    }

    private static void FinishesTheCheckpointOfAThreadFirst()
    {
        Thread thread = null;
        var isTrying = new ManualResetEvent(false);
        var processor = new Delegates(input =>
        {
            thread = new Thread(() => input.Checkpointer.Checkpoint());
            thread.Start();
            isTrying.WaitOne();
        });
        Played played = PlayWith(processor, wait => { isTrying.Set(); Thread.Sleep(20); }, Delivery, Ack("ThrottlingException"), Ack(null));
        thread.Join();
        Same(Join(new[] { CheckpointRequest, CheckpointRequest, Status("processRecords") }), Join(played.Written));
    }

    private static void EndsWithoutAStatusAfterAnException()
    {
        Played played = Play(new Delegates(input => { throw new InvalidOperationException("no"); }), Delivery, Delivery);
        Same("no", played.Failure.Message);
        Same(0, played.Written.Length);
    }

    private static void IgnoresBlankLinesAndUnknownActions()
    {
        Played played = Play(new Delegates(), "", "  ", Bare("dance"), "{}", Ack(null), "\t{ \"shardId\" : \"s\", \"more\": [1, {\"a\": null}], \"action\":\"initialize\" }\r");
        Same(Status("initialize"), Join(played.Written));
        Same(true, played.Errors.Contains("dance"));
    }

    private static void TakesWhatIsNoMessageForAnError()
    {
        string[] lines = { "null", "7", "[]", "{", "{\"action\":\"initialize\"", "{\"action\":\"x\"} 7", "{\"action\":NaN}", "{\"a\":\"\n", Batch("!"), new string('[', 1000) };
        foreach (string line in lines) Same(typeof(MalformedMessageException), Play(new Delegates(), line).Failure.GetType(), line);
    }

    private static void ReadsAnyJson()
    {
        var found = (Dictionary<string, object>)Json.Read("{\"a\\\"\\u732b\\n\":[1,-2.5e3,true,false,null,\"\\ud83d\\ude00\"],\"b\":{}}");
        var list = (List<object>)found["a\"\u732b\n"];
        Same(1L, list[0]);
        Same(-2500.0, list[1]);
        Same("True False ", list[2] + " " + list[3] + " " + list[4]);
        Same("\ud83d\ude00", list[5]);
    }

    private static void QuotesAnyText()
    {
        foreach (string text in new[] { "", "a\"b\\c", "\u0000\u001f\n", "\u2028\u2029", "\ud83d\ude00 \u732b" })
        {
            string quoted = Json.Quote(text);
            Same(text, Json.Read(quoted));
            Same(false, quoted.Any(each => each < ' ' || each == '\u2028'));
        }
        Same("\"\\ud83d\"", Json.Quote("\ud83d"));
    }

    private static void ReadsALongLine()
    {
        int length = 0;
        Play(new Delegates(input => length = input.Records[0].Data.Length), Batch(new string('A', 16 * 1024 * 1024)));
        Same(12 * 1024 * 1024, length);
    }

    private static void FreesABatchBeforeTheNext()
    {
        var batches = new List<WeakReference>();
        int alive = 0;
        var processor = new Delegates(input =>
        {
            GC.Collect();
            // The previous batch may still be on the stack, where Mono treats anything like an
            // address as a reference.
            alive = Math.Max(alive, batches.Count(each => each.IsAlive));
            batches.Add(new WeakReference(input.Records[0]));
        });
        Play(processor, Enumerable.Repeat(Delivery, 20).ToArray());
        Same(20, batches.Count);
        Same(true, alive <= 2, alive + " batches are alive");
    }

    private static void LogsToADaemonThatUnderstandsIt()
    {
        var talking = new Delegates(input => input.Log("warn", "slow \"disk\""));
        Played without = Play(talking, Delivery);
        Same(Status("processRecords"), Join(without.Written));
        Same("warn: slow \"disk\"", without.Errors.Trim());
        Environment.SetEnvironmentVariable("KINESIS_MULTILANG_PROTOCOL_VERSION", "1");
        Played with = Play(talking, Delivery);
        Environment.SetEnvironmentVariable("KINESIS_MULTILANG_PROTOCOL_VERSION", null);
        Same("{\"action\":\"log\",\"level\":\"warn\",\"message\":\"slow \\\"disk\\\"\"}", with.Written[0]);
    }

    private static void KeepsPrintsOffStdout()
    {
        string[] end = Run("prints");
        Same(Join(new[] { Status("processRecords"), Status("leaseLost") }), Join(Parts(end[0])));
        Same("hello []", end[1].Trim());
        Same("0", end[2]);
    }

    private static void EndsTheProcessWithOneAfterAnError()
    {
        string[] end = Run("fails");
        Same("", end[0]);
        Same(true, end[1].Contains("no such file"));
        Same("1", end[2]);
    }

    /// <summary>What this program does if a test starts it.</summary>
    private static int Program(string what)
    {
        KclProcess.Create(new Delegates(input =>
        {
            if (what == "fails") throw new IOException("no such file");
            Console.WriteLine("hello [" + Console.In.ReadToEnd() + "]");
        })).Run();
        return 0;
    }

    private static string[] Run(string what)
    {
        string assembly = typeof(KclTest).Assembly.Location;
        var start = new ProcessStartInfo("mono", "\"" + assembly + "\" " + what)
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using (Process child = Process.Start(start))
        {
            child.StandardInput.Write(Delivery + "\n" + Bare("leaseLost") + "\n");
            child.StandardInput.Close();
            string output = child.StandardOutput.ReadToEnd();
            string error = child.StandardError.ReadToEnd();
            child.WaitForExit();
            return new[] { output, error, child.ExitCode.ToString() };
        }
    }

    private static Played Play(IShardRecordProcessor processor, params string[] lines)
    {
        return PlayWith(processor, null, lines);
    }

    private static Played PlayWith(IShardRecordProcessor processor, Action<TimeSpan> sleep, params string[] lines)
    {
        var played = new Played();
        var input = new MemoryStream(Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line + "\n"))));
        var output = new MemoryStream();
        var error = new StringWriter();
        try
        {
            KclProcess.Create(processor, input, output, error, sleep ?? played.Waits.Add).Run();
        }
        catch (Exception failure)
        {
            played.Failure = failure;
        }
        played.Written = Parts(Encoding.UTF8.GetString(output.ToArray()));
        played.Errors = error.ToString();
        return played;
    }

    private static string[] Parts(string text)
    {
        return text.Split(new[] { '\n' }, StringSplitOptions.RemoveEmptyEntries);
    }

    private static string Batch(string data)
    {
        string key = "\"schl\u00fcssel\u2028\\ud83d\\ude00\"";
        return "{\"action\":\"processRecords\",\"records\":[{\"data\":\"" + data + "\",\"partitionKey\":" + key + ",\"sequenceNumber\":\"" + SequenceNumber
            + "\",\"approximateArrivalTimestamp\":1700000000123,\"subSequenceNumber\":3,\"action\":\"record\"}],\"millisBehindLatest\":5}";
    }

    private static string Ack(string error)
    {
        return "{\"action\":\"checkpoint\",\"sequenceNumber\":null,\"subSequenceNumber\":null,\"error\":" + Json.Quote(error) + "}";
    }

    private static string Bare(string action)
    {
        return "{\"action\":" + Json.Quote(action) + "}";
    }

    private static string Status(string action)
    {
        return "{\"action\":\"status\",\"responseFor\":" + Json.Quote(action) + "}";
    }

    private static Delegates Checkpointing()
    {
        return new Delegates(input => input.Checkpointer.Checkpoint());
    }

    private static string Join(IEnumerable<string> parts)
    {
        return string.Join("\n", parts);
    }

    private static void Same(object expected, object found, string what = "")
    {
        if (!Equals(expected, found)) throw new Exception(what + ": expected " + expected + ", found " + found);
    }
}
