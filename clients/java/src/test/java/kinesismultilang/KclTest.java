package kinesismultilang;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import kinesismultilang.Kcl.CheckpointException;
import kinesismultilang.Kcl.Checkpointer;
import kinesismultilang.Kcl.InitializationInput;
import kinesismultilang.Kcl.KinesisClientRecord;
import kinesismultilang.Kcl.LeaseLostInput;
import kinesismultilang.Kcl.ProcessRecordsInput;
import kinesismultilang.Kcl.ShardEndedInput;
import kinesismultilang.Kcl.ShardRecordProcessor;
import kinesismultilang.Kcl.ShutdownException;
import kinesismultilang.Kcl.ShutdownRequestedInput;

/**
 * A test program that needs only a JDK. It runs every test, prints the names of those that fail,
 * and ends with 1 if any did.
 */
public final class KclTest {
    private static final String SEQUENCE = "49590338271490256608559692538361571095921575989136588898";
    private static final String INITIALIZE =
            "{\"action\":\"initialize\",\"shardId\":\"shardId-0\",\"sequenceNumber\":\"TRIM_HORIZON\",\"subSequenceNumber\":0}";
    private static final String PROCESS =
            "{\"action\":\"processRecords\",\"records\":[{\"data\":\"Y2F0\",\"partitionKey\":\"schl\u00fcssel\u2028\",\"sequenceNumber\":\""
                    + SEQUENCE
                    + "\",\"approximateArrivalTimestamp\":1700000000123,\"subSequenceNumber\":3,\"action\":\"record\"}],\"millisBehindLatest\":5}";
    private static final String PROCESSED = "processRecords";

    interface Test {
        void run() throws Exception;
    }

    interface Block {
        void run(ProcessRecordsInput input) throws Exception;
    }

    /** The result of a conversation. */
    static final class Played {
        final List<Map<?, ?>> written = new ArrayList<>();
        final List<Long> waits = new ArrayList<>();
        String errors;
        Exception failure;
    }

    /**
     * A processor whose processRecords is a block. The other methods record that they were called.
     */
    static final class Blocks implements ShardRecordProcessor {
        final Block block;
        final List<Object> seen = new ArrayList<>();

        Blocks(Block block) {
            this.block = block;
        }

        @Override
        public void initialize(InitializationInput input) {
            seen.addAll(List.of(input.shardId(), input.sequenceNumber(), input.subSequenceNumber()));
        }

        @Override
        public void processRecords(ProcessRecordsInput input) throws Exception {
            block.run(input);
        }

        @Override
        public void leaseLost(LeaseLostInput input) {
            seen.add("leaseLost");
        }

        @Override
        public void shardEnded(ShardEndedInput input) throws Exception {
            seen.add("shardEnded");
            input.checkpointer().checkpoint();
        }

        @Override
        public void shutdownRequested(ShutdownRequestedInput input) throws Exception {
            seen.add("shutdownRequested");
            input.checkpointer().checkpoint();
        }
    }

    public static void main(String[] arguments) {
        if (arguments.length > 0) {
            program(arguments[0]);
            return;
        }
        int failed = 0;
        for (Map.Entry<String, Test> test : TESTS.entrySet()) {
            try {
                test.getValue().run();
                System.out.println("ok     " + test.getKey());
            } catch (Throwable failure) {
                failed++;
                System.out.println("FAILED " + test.getKey());
                failure.printStackTrace(System.out);
            }
        }
        System.out.println(TESTS.size() - failed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }

    private static final Map<String, Test> TESTS = Map.ofEntries(
            Map.entry("answers every action and gives the fields of the messages", KclTest::fields),
            Map.entry("null fields", KclTest::nulls),
            Map.entry("checkpoint arguments", KclTest::checkpointArguments),
            Map.entry("retries throttled checkpoints", KclTest::retries),
            Map.entry("gives up after eight attempts", KclTest::givesUp),
            Map.entry("does not retry errors that cannot succeed", KclTest::doesNotRetry),
            Map.entry("any other message than the response is an error", KclTest::anotherMessage),
            Map.entry("a thread finishes its checkpoint before the status", KclTest::threads),
            Map.entry("an exception ends without a status", KclTest::exceptions),
            Map.entry("ignores blank lines and unknown actions", KclTest::unknown),
            Map.entry("a line that is not a message is an error", KclTest::noMessage),
            Map.entry("a long line", KclTest::longLine),
            Map.entry("log goes to a daemon that supports it", KclTest::log),
            Map.entry("JSON that is read", KclTest::jsonRead),
            Map.entry("JSON that is refused", KclTest::jsonRefused),
            Map.entry("messages in pieces are read like the whole text", KclTest::pieces),
            Map.entry("a truncated message is an error at once", KclTest::brokenOff),
            Map.entry("in a process, prints stay off STDOUT", KclTest::prints),
            Map.entry("in a process, failures end it", KclTest::failures));

    private static void fields() {
        List<Object> batch = new ArrayList<>();
        Blocks processor = new Blocks(input -> {
            KinesisClientRecord record = input.records().get(0);
            batch.addAll(List.of(new String(record.data()), record.partitionKey(), record.sequenceNumber(), record.subSequenceNumber(),
                    record.approximateArrivalTimestamp().toEpochMilli(), input.records().size(), input.millisBehindLatest()));
        });
        Played played = play(processor, false, INITIALIZE, PROCESS, action("shutdownRequested"), ack(null), action("leaseLost"), action("shardEnded"), ack(null));
        equal(played.failure, null);
        equal(batch, List.of("cat", "schl\u00fcssel\u2028", SEQUENCE, 3L, 1700000000123L, 1, 5L));
        equal(processor.seen, List.of("shardId-0", "TRIM_HORIZON", 0L, "shutdownRequested", "leaseLost", "shardEnded"));
        List<Object> answered = new ArrayList<>();
        for (Map<?, ?> message : played.written) if (message.get("action").equals("status")) answered.add(message.get("responseFor"));
        equal(answered, List.of("initialize", PROCESSED, "shutdownRequested", "leaseLost", "shardEnded"));
    }

    private static void nulls() {
        List<Object> seen = new ArrayList<>();
        Blocks processor = new Blocks(input -> {
            KinesisClientRecord record = input.records().get(0);
            Collections.addAll(seen, record.data().length, record.partitionKey(), record.approximateArrivalTimestamp(), input.millisBehindLatest());
        });
        Played played = play(processor, false, "{\"action\":\"processRecords\",\"records\":[{\"data\":null,\"partitionKey\":null,\"approximateArrivalTimestamp\":null}],\"millisBehindLatest\":null}");
        equal(played.failure, null);
        equal(seen, Arrays.asList(0, null, null, null));
    }

    private static void checkpointArguments() {
        check(input -> input.checkpointer().checkpoint(), null, null);
        check(input -> input.checkpointer().checkpoint("7"), "7", null);
        check(input -> input.checkpointer().checkpoint("7", 2), "7", 2L);
        check(input -> input.checkpointer().checkpoint(input.records().get(0)), SEQUENCE, 3L);
    }

    private static void check(Block block, String sequenceNumber, Long subSequenceNumber) {
        Played played = play(new Blocks(block), false, PROCESS, ack(null));
        equal(played.failure, null);
        Map<?, ?> request = played.written.get(0);
        equal(Arrays.asList(request.get("action"), request.get("sequenceNumber"), request.get("subSequenceNumber")),
                Arrays.asList("checkpoint", sequenceNumber, subSequenceNumber));
        equal(request.size(), 3);
        equal(played.written.get(1), Map.of("action", "status", "responseFor", PROCESSED));
    }

    private static Blocks checkpointing() {
        return new Blocks(input -> input.checkpointer().checkpoint());
    }

    private static void retries() {
        Played played = play(checkpointing(), false, PROCESS, ack("ThrottlingException"), ack("KinesisClientLibDependencyException"), ack("ThrottlingException"), ack(null));
        equal(played.failure, null);
        equal(played.written.size(), 5);
        equal(played.waits.size(), 3);
        for (int at = 0; at < 3; at++) {
            long longest = 200L << at;
            long wait = played.waits.get(at);
            equal(wait >= longest / 2 && wait <= longest, true);
        }
    }

    private static void givesUp() {
        List<String> messages = new ArrayList<>(List.of(PROCESS));
        for (int at = 0; at < 8; at++) messages.add(ack("ThrottlingException"));
        Played played = play(checkpointing(), false, messages.toArray(new String[0]));
        equal(((CheckpointException) played.failure).error(), "ThrottlingException");
        equal(played.written.size(), 8);
    }

    private static void doesNotRetry() {
        for (String error : List.of("ShutdownException", "InvalidStateException", "IllegalArgumentException", "NullPointerException")) {
            Played played = play(checkpointing(), false, PROCESS, ack(error));
            equal(((CheckpointException) played.failure).error(), error);
            equal(played.failure instanceof ShutdownException, error.equals("ShutdownException"));
            equal(played.written.size(), 1);
        }
    }

    private static void anotherMessage() {
        Played played = play(checkpointing(), false, PROCESS, PROCESS);
        equal(((CheckpointException) played.failure).error(), "InvalidStateException");
        equal(play(checkpointing(), false, PROCESS).failure instanceof ShutdownException, true);
        equal(play(checkpointing(), false, PROCESS, action("dance"), ack(null)).failure, null);
    }

    private static void threads() throws Exception {
        Checkpointer[] kept = new Checkpointer[1];
        Blocks processor = new Blocks(input -> {
            kept[0] = input.checkpointer();
            CountDownLatch locked = new CountDownLatch(1);
            new Thread(() -> {
                synchronized (kept[0]) {
                    locked.countDown();
                    Thread.yield();
                    try {
                        kept[0].checkpoint();
                    } catch (IOException | InterruptedException failure) {
                        throw new IllegalStateException(failure);
                    }
                }
            }).start();
            locked.await();
        });
        Played played = play(processor, false, PROCESS, ack(null));
        equal(played.written.size(), 2);
        equal(played.written.get(1).get("action"), "status");
        try {
            kept[0].checkpoint();
            throw new AssertionError("a checkpoint after the status");
        } catch (CheckpointException failure) {
            equal(failure.error(), "InvalidStateException");
        }
    }

    private static void exceptions() {
        Played played = play(new Blocks(input -> {
            throw new IOException("no");
        }), false, PROCESS, PROCESS);
        equal(played.failure.getMessage(), "no");
        equal(played.written, List.of());
    }

    private static void unknown() {
        Played played = play(checkpointing(), false, "", "  ", action("dance"), "{}", ack(null), INITIALIZE);
        equal(played.failure, null);
        equal(played.written, List.of(Map.of("action", "status", "responseFor", "initialize")));
        equal(played.errors.contains("dance"), true);
    }

    private static void noMessage() {
        for (String line : List.of("null", "7", "{", "{\"action\":\"initialize\"")) {
            equal(play(checkpointing(), false, line).failure instanceof IllegalArgumentException, true);
        }
    }

    private static void longLine() {
        int[] length = new int[1];
        Played played = play(new Blocks(input -> length[0] = input.records().get(0).data().length), false, PROCESS.replace("Y2F0", "AAAA".repeat(4 << 20)));
        equal(played.failure, null);
        equal(length[0], 12 << 20);
    }

    private static void log() {
        Blocks talking = new Blocks(input -> input.log("warn", "slow \"\n"));
        Played without = play(talking, false, PROCESS);
        equal(without.written.size(), 1);
        equal(without.errors.contains("warn: slow"), true);
        equal(play(talking, true, PROCESS).written.get(0), Map.of("action", "log", "level", "warn", "message", "slow \"\n"));
    }

    private static void jsonRead() {
        Object value = Json.read(" {\"a\" : [1, -2.5, 1e3, true, false, null, {}, []], \"\\u00e9\\\"\\\\\\/\\b\\f\\n\\r\\t\": \"\\ud83d\\ude00\"} ");
        Map<?, ?> object = (Map<?, ?>) value;
        equal(object.get("a"), Arrays.asList(1L, -2.5, 1000.0, true, false, null, Map.of(), List.of()));
        equal(object.get("\u00e9\"\\/\b\f\n\r\t"), "\ud83d\ude00");
        equal(Json.read(Json.write(value)), value);
    }

    private static void jsonRefused() {
        List<String> wrong = List.of("", "{", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "01", "1.", "+1", "nul", "\"", "\"\\x\"", "\"\\u12\"", "\"\t\"", "1 2", "\u00a01", "[".repeat(200));
        for (String text : wrong) {
            try {
                Json.read(text);
            } catch (IllegalArgumentException expected) {
                continue;
            }
            throw new AssertionError(text);
        }
    }

    /**
     * Feeds random messages, some of them damaged, a few bytes at a time, and compares with the
     * plain reader of whole texts.
     */
    private static void pieces() throws IOException {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        int read = 0;
        for (int round = 0; round < 5_000; round++) {
            StringBuilder text = new StringBuilder(Json.write(randomMessage(random)));
            for (int edits = random.nextInt(6) - 3; edits > 0; edits--) {
                int at = random.nextInt(text.length());
                char edit = "\"\\{}[]:, 0e\u0001A\u20ac".charAt(random.nextInt(14));
                if (random.nextBoolean()) text.setCharAt(at, edit);
                else text.insert(at, edit);
            }
            String line = text.toString();
            Object wanted = null;
            try {
                wanted = Json.read(line);
            } catch (IllegalArgumentException wrong) {
                // The plain reader must refuse it too.
            }
            Object got = null;
            try {
                got = plain(Json.messages(dripping(random, line + "\n")).message());
            } catch (IllegalArgumentException wrong) {
                // As above.
            }
            if (wanted != null) read++;
            if (!Objects.equals(got, plain(wanted))) throw new AssertionError(seed + ": " + line + "\ngot " + got + "\nwanted " + wanted);
        }
        equal(read > 1_000, true);
    }

    private static Map<String, Object> randomMessage(Random random) {
        List<Object> records = new ArrayList<>();
        for (int count = random.nextInt(3); count > 0; count--) {
            Map<String, Object> record = new LinkedHashMap<>();
            for (String key : shuffled(random, "data", "partitionKey", "sequenceNumber", "subSequenceNumber", "approximateArrivalTimestamp")) {
                if (random.nextInt(8) > 0) record.put(key, key.equals("data") ? randomData(random) : randomValue(random));
            }
            records.add(record);
        }
        Map<String, Object> message = new LinkedHashMap<>();
        for (String key : shuffled(random, "action", "records", "unknown", "key \u20ac")) message.put(key, key.equals("records") ? records : randomValue(random));
        return message;
    }

    private static List<String> shuffled(Random random, String... keys) {
        List<String> list = new ArrayList<>(List.of(keys));
        Collections.shuffle(list, random);
        return list;
    }

    private static Object randomValue(Random random) {
        Object[] values = {"", "a\"\\\n", "\u2028\ud83d\ude00", "action", null, true, 0L, -7L, 1700000000123L, 1e300, 1.5, List.of(1L, "}"), Map.of("data", "]")};
        return values[random.nextInt(values.length)];
    }

    private static String randomData(Random random) {
        byte[] data = new byte[random.nextInt(30)];
        random.nextBytes(data);
        return Base64.getEncoder().encodeToString(data);
    }

    private static InputStream dripping(Random random, String text) {
        return new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)) {
            @Override
            public synchronized int read(byte[] into, int from, int most) {
                return super.read(into, from, Math.min(most, 1 + random.nextInt(9)));
            }
        };
    }

    /**
     * Removes an intended difference: records are objects of their own class, which keep only known
     * fields.
     */
    private static Object plain(Object value) {
        if (!(value instanceof Map)) return null;
        Map<Object, Object> message = new LinkedHashMap<>((Map<?, ?>) value);
        if (message.get("records") instanceof List) {
            List<Object> records = new ArrayList<>();
            for (Object record : (List<?>) message.get("records")) records.add(fieldsOf(record));
            message.put("records", records);
        }
        return message;
    }

    private static Object fieldsOf(Object record) {
        if (record instanceof KinesisClientRecord) {
            KinesisClientRecord read = (KinesisClientRecord) record;
            return Arrays.asList(decoded(read.data), read.partitionKey, read.sequenceNumber, read.subSequenceNumber, read.approximateArrivalTimestamp);
        }
        if (!(record instanceof Map)) return record;
        Map<?, ?> map = (Map<?, ?>) record;
        return Arrays.asList(decoded(map.get("data")), map.get("partitionKey"), map.get("sequenceNumber"), map.get("subSequenceNumber"), map.get("approximateArrivalTimestamp"));
    }

    /** Data as a list of its bytes, whether or not the reader has decoded it already. */
    private static Object decoded(Object data) {
        if (data instanceof byte[]) return Arrays.toString((byte[]) data);
        if (!(data instanceof String)) return data;
        try {
            return Arrays.toString(Base64.getDecoder().decode((String) data));
        } catch (IllegalArgumentException notBase64) {
            return data;
        }
    }

    private static void brokenOff() {
        InputStream open = new InputStream() {
            private final byte[] text = "{\"action\":\"init\n".getBytes(StandardCharsets.UTF_8);
            private int at;

            @Override
            public int read() {
                if (at == text.length) throw new IllegalStateException("asked for more than the line");
                return text[at++];
            }

            @Override
            public int read(byte[] into, int from, int most) {
                into[from] = (byte) read();
                return 1;
            }
        };
        try {
            new Kcl(checkpointing(), open, new ByteArrayOutputStream(), System.err).run();
        } catch (Exception failure) {
            equal(failure instanceof IllegalArgumentException, true);
            return;
        }
        throw new AssertionError("taken for a message");
    }

    private static void program(String name) {
        Kcl.run(new Blocks(input -> {
            if (name.equals("fails")) throw new IOException("no such file");
            System.out.println("hello");
            System.in.transferTo(System.out);
        }));
    }

    private static String[] start(String name) throws Exception {
        String java = System.getProperty("java.home") + "/bin/java";
        Process process = new ProcessBuilder(java, "-cp", System.getProperty("java.class.path"), "kinesismultilang.KclTest", name).start();
        try (OutputStream in = process.getOutputStream()) {
            in.write((PROCESS + "\n" + action("leaseLost\",\"longerThanAnyBuffer\":\"" + "A".repeat(300_000)) + "\n").getBytes(StandardCharsets.UTF_8));
        } catch (IOException brokenPipe) {
            // A child that fails does not read the whole input.
        }
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        return new String[] {out.strip(), err, String.valueOf(process.waitFor())};
    }

    private static void prints() throws Exception {
        String[] result = start("prints");
        String[] lines = result[0].split("\n+");
        equal(Json.read(lines[0]), Map.of("action", "status", "responseFor", PROCESSED));
        equal(Json.read(lines[1]), Map.of("action", "status", "responseFor", "leaseLost"));
        equal(List.of(result[1].strip(), result[2]), List.of("hello", "0"));
    }

    private static void failures() throws Exception {
        String[] result = start("fails");
        equal(List.of(result[0], result[2]), List.of("", "1"));
        equal(result[1].contains("no such file"), true);
    }

    private static String action(String name) {
        return "{\"action\":\"" + name + "\"}";
    }

    private static String ack(String error) {
        return "{\"action\":\"checkpoint\",\"sequenceNumber\":null,\"subSequenceNumber\":null,\"error\":" + Json.write(error) + "}";
    }

    private static Played play(ShardRecordProcessor processor, boolean logs, String... messages) {
        Played played = new Played();
        ByteArrayInputStream in = new ByteArrayInputStream((String.join("\n", messages) + "\n").getBytes(StandardCharsets.UTF_8));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        try {
            new Kcl(processor, in, out, new PrintStream(err, true), played.waits::add, logs).run();
        } catch (Exception failure) {
            played.failure = failure;
        }
        played.errors = err.toString();
        for (String line : out.toString(StandardCharsets.UTF_8).split("\n")) {
            if (!line.isEmpty()) played.written.add((Map<?, ?>) Json.read(line));
        }
        return played;
    }

    private static void equal(Object got, Object wanted) {
        if (got == null ? wanted != null : !got.equals(wanted)) throw new AssertionError("got " + got + ", wanted " + wanted);
    }
}
