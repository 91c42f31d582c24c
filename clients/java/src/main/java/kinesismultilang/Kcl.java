package kinesismultilang;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Runs an Amazon Kinesis record processor in Java for one shard. It speaks the MultiLangDaemon
 * protocol on STDIN and STDOUT.
 *
 * <p>The client reads an action, calls its method and writes its status. Only checkpoints come in
 * between. If a method throws, the process ends without a status, so the daemon delivers the
 * records again. The names are those of the Kinesis Client Library for Java.
 */
public final class Kcl {
    private static final Set<String> ACTIONS =
            Set.of("initialize", "processRecords", "leaseLost", "shardEnded", "shutdownRequested");
    /** Retried after 0.2 s, doubling to 5 s, about 12 s in all. */
    private static final Set<String> RETRYABLE = Set.of("ThrottlingException", "KinesisClientLibDependencyException");
    private static final int ATTEMPTS = 8;
    private static final long FIRST_WAIT_MS = 200;
    private static final long LONGEST_WAIT_MS = 5000;

    /** Handles the actions of the daemon for one shard. The client makes one call at a time. */
    public interface ShardRecordProcessor {
        default void initialize(InitializationInput input) throws Exception {}

        void processRecords(ProcessRecordsInput input) throws Exception;

        /** Another worker holds the shard: checkpoints are no longer possible. */
        default void leaseLost(LeaseLostInput input) throws Exception {}

        /**
         * Must call {@code checkpointer().checkpoint()}, or the shard's child shards never start.
         */
        void shardEnded(ShardEndedInput input) throws Exception;

        /** The daemon stops or hands the shard over: the last chance to checkpoint. */
        default void shutdownRequested(ShutdownRequestedInput input) throws Exception {}
    }

    /** A checkpoint was not stored. Errors that can be retried have been retried. */
    public static class CheckpointException extends RuntimeException {
        private final String error;

        CheckpointException(String error, String message) {
            super("checkpoint not stored: " + error + message);
            this.error = error;
        }

        /** The daemon's error name, such as {@code IllegalArgumentException}. */
        public String error() {
            return error;
        }
    }

    /** Another worker holds the lease, or the daemon is gone: stop. */
    public static final class ShutdownException extends CheckpointException {
        ShutdownException() {
            super("ShutdownException", "");
        }
    }

    /** What every action carries. */
    public abstract static class Input {
        final Map<String, Object> message;
        final Kcl kcl;
        final Checkpointer checkpointer;

        Input(Map<String, Object> message, Kcl kcl, Checkpointer checkpointer) {
            this.message = message;
            this.kcl = kcl;
            this.checkpointer = checkpointer;
        }

        /** See {@link Kcl#log}. */
        public void log(String level, String text) throws IOException {
            kcl.log(level, text);
        }
    }

    public static final class InitializationInput extends Input {
        InitializationInput(Map<String, Object> message, Kcl kcl) {
            super(message, kcl, null);
        }

        public String shardId() {
            return (String) message.get("shardId");
        }

        /**
         * The checkpoint to continue from: digits, or TRIM_HORIZON, LATEST, AT_TIMESTAMP if there
         * is none.
         */
        public String sequenceNumber() {
            return (String) message.get("sequenceNumber");
        }

        public long subSequenceNumber() {
            return toLong(message.get("subSequenceNumber"));
        }
    }

    public static final class ProcessRecordsInput extends Input {
        private final List<KinesisClientRecord> records;

        ProcessRecordsInput(Map<String, Object> message, Kcl kcl, Checkpointer checkpointer) {
            super(message, kcl, checkpointer);
            if (!(message.get("records") instanceof List)) throw new IllegalArgumentException("processRecords without records");
            records = new ArrayList<>(((List<?>) message.get("records")).size());
            for (Object record : (List<?>) message.get("records")) records.add((KinesisClientRecord) record);
        }

        /** In the order of the shard. */
        public List<KinesisClientRecord> records() {
            return records;
        }

        /**
         * How far the batch is behind the tip of the shard; null if the service did not report it.
         */
        public Long millisBehindLatest() {
            return (Long) message.get("millisBehindLatest");
        }

        public Checkpointer checkpointer() {
            return checkpointer;
        }
    }

    /** One user record. The records of a KPL aggregate share their sequence number. */
    public static final class KinesisClientRecord {
        /** The fields as they were read; the getters cast them. Data is text if it is unusual base64. */
        Object data;

        Object partitionKey;
        Object sequenceNumber;
        Object subSequenceNumber;
        Object approximateArrivalTimestamp;

        KinesisClientRecord() {}

        /** The same array in each call. */
        public byte[] data() {
            if (data == null) data = new byte[0];
            if (data instanceof String) data = Base64.getDecoder().decode((String) data);
            return (byte[]) data;
        }

        public String partitionKey() {
            return (String) partitionKey;
        }

        public String sequenceNumber() {
            return (String) sequenceNumber;
        }

        public long subSequenceNumber() {
            return toLong(subSequenceNumber);
        }

        /** Null if the service did not report it. */
        public Instant approximateArrivalTimestamp() {
            Long millis = (Long) approximateArrivalTimestamp;
            return millis == null ? null : Instant.ofEpochMilli(millis);
        }
    }

    public static final class LeaseLostInput extends Input {
        LeaseLostInput(Kcl kcl) {
            super(Map.of(), kcl, null);
        }
    }

    public static class ShardEndedInput extends Input {
        ShardEndedInput(Kcl kcl, Checkpointer checkpointer) {
            super(Map.of(), kcl, checkpointer);
        }

        public Checkpointer checkpointer() {
            return checkpointer;
        }
    }

    public static final class ShutdownRequestedInput extends ShardEndedInput {
        ShutdownRequestedInput(Kcl kcl, Checkpointer checkpointer) {
            super(kcl, checkpointer);
        }
    }

    /**
     * Stores how far the shard is processed. It is valid until its action is answered. Several
     * threads may use it; their checkpoints are sent one after the other.
     */
    public static final class Checkpointer {
        private final Kcl kcl;
        private boolean finished;

        Checkpointer(Kcl kcl) {
            this.kcl = kcl;
        }

        /**
         * Stores the end of all records delivered so far. In {@code shardEnded} this finishes the
         * shard.
         */
        public void checkpoint() throws IOException, InterruptedException {
            store(null, null);
        }

        public void checkpoint(KinesisClientRecord record) throws IOException, InterruptedException {
            store(record.sequenceNumber(), record.subSequenceNumber());
        }

        public void checkpoint(String sequenceNumber) throws IOException, InterruptedException {
            store(sequenceNumber, null);
        }

        public void checkpoint(String sequenceNumber, long subSequenceNumber) throws IOException, InterruptedException {
            store(sequenceNumber, subSequenceNumber);
        }

        private synchronized void store(String sequenceNumber, Long subSequenceNumber)
                throws IOException, InterruptedException {
            if (finished) throw new CheckpointException("InvalidStateException", ", the action is answered");
            Map<String, Object> request = new LinkedHashMap<>();
            request.put("action", "checkpoint");
            request.put("sequenceNumber", sequenceNumber);
            request.put("subSequenceNumber", subSequenceNumber);
            for (int attempt = 1; ; attempt++) {
                kcl.write(request);
                String error = (String) kcl.readAnswer().get("error");
                if (error == null) return;
                if (error.equals("ShutdownException")) throw new ShutdownException();
                if (!RETRYABLE.contains(error) || attempt == ATTEMPTS) throw new CheckpointException(error, "");
                double longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS << (attempt - 1));
                kcl.sleeper.sleep((long) (longest * (0.5 + Math.random() / 2)));
            }
        }

        synchronized void finish() {
            finished = true;
        }
    }

    /** Waits between attempts to checkpoint. */
    interface Sleeper {
        void sleep(long millis) throws InterruptedException;
    }

    private final ShardRecordProcessor processor;
    private final Json in;
    private final OutputStream out;
    private final PrintStream err;
    final Sleeper sleeper;
    final boolean logs;

    Kcl(ShardRecordProcessor processor, InputStream in, OutputStream out, PrintStream err, Sleeper sleeper, boolean logs) {
        this.processor = processor;
        this.in = Json.messages(in);
        this.out = out;
        this.err = err;
        this.sleeper = sleeper;
        this.logs = logs;
    }

    /** Uses other streams, for tests. */
    public Kcl(ShardRecordProcessor processor, InputStream in, OutputStream out, PrintStream err) {
        this(processor, in, out, err, Thread::sleep, System.getenv("KINESIS_MULTILANG_PROTOCOL_VERSION") != null);
    }

    /**
     * Runs a processor on STDIN and STDOUT until STDIN is closed. Whatever it throws ends the
     * process with status 1. From then on {@code System.out} is STDERR and {@code System.in} is
     * empty, so the program can neither print between the messages nor read them. (Native code, and
     * child processes that inherit descriptors 0 and 1, still can.)
     */
    public static void run(ShardRecordProcessor processor) {
        OutputStream stdout = new FileOutputStream(FileDescriptor.out);
        InputStream stdin = System.in;
        System.setOut(System.err);
        System.setIn(InputStream.nullInputStream());
        try {
            new Kcl(processor, stdin, stdout, System.err).run();
        } catch (Throwable failure) {
            System.err.println("kcl: the record processor failed");
            failure.printStackTrace();
            System.exit(1);
        }
    }

    /**
     * Handles one action after the other until the end of the input. Throws what the processor
     * throws.
     */
    public void run() throws Exception {
        // No variable keeps a batch while the next one is read.
        while (answer(in.message()));
    }

    /** False at the end of the input. */
    private boolean answer(Map<String, Object> message) throws Exception {
        if (message == null) return false;
        String action = String.valueOf(message.get("action"));
        if (!ACTIONS.contains(action)) {
            ignore(action);
            return true;
        }
        Checkpointer checkpointer = new Checkpointer(this);
        call(action, message, checkpointer);
        checkpointer.finish(); // waits for another thread's checkpoint
        write(Map.of("action", "status", "responseFor", action));
        return true;
    }

    private void call(String action, Map<String, Object> message, Checkpointer checkpointer) throws Exception {
        switch (action) {
            case "initialize":
                processor.initialize(new InitializationInput(message, this));
                break;
            case "processRecords":
                processor.processRecords(new ProcessRecordsInput(message, this, checkpointer));
                break;
            case "leaseLost":
                processor.leaseLost(new LeaseLostInput(this));
                break;
            case "shardEnded":
                processor.shardEnded(new ShardEndedInput(this, checkpointer));
                break;
            default:
                processor.shutdownRequested(new ShutdownRequestedInput(this, checkpointer));
        }
    }

    /**
     * Writes to the daemon's log with shard and level (debug, info, warn, error), or to STDERR if
     * the daemon has no such log.
     */
    public void log(String level, String text) throws IOException {
        if (logs) write(Map.of("action", "log", "level", level, "message", text));
        else err.println(level + ": " + text);
    }

    private Map<String, Object> readAnswer() throws IOException {
        for (Map<String, Object> message = in.message(); message != null; message = in.message()) {
            String action = String.valueOf(message.get("action"));
            if (action.equals("checkpoint")) return message;
            if (ACTIONS.contains(action)) {
                throw new CheckpointException("InvalidStateException", ", answered by " + action);
            }
            ignore(action);
        }
        throw new ShutdownException(); // the daemon is gone
    }

    /**
     * The line break in front protects the message from anything on STDOUT that has no line end.
     */
    private synchronized void write(Map<String, Object> message) throws IOException {
        out.write(("\n" + Json.write(message) + "\n").getBytes(StandardCharsets.UTF_8));
        out.flush();
    }

    private void ignore(String action) {
        err.println("kcl: ignoring an action that this client does not know: " + action);
    }

    private static long toLong(Object number) {
        return number == null ? 0 : ((Number) number).longValue();
    }
}
