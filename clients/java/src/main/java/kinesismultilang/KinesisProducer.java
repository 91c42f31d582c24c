package kinesismultilang;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Puts records into Kinesis streams through the program {@code kinesis-multilang produce}, which
 * aggregates them as the Kinesis Producer Library does, and retries. The methods have the names of
 * that library. Unlike there, {@link #addUserRecord} waits while {@code maxInFlightBytes} of records
 * have no outcome, and a future is a {@link CompletableFuture}.
 */
public final class KinesisProducer implements AutoCloseable {
    private static final int PROTOCOL_VERSION = 1;
    private static final int MAX_LINE_BYTES = 16 * 1024 * 1024;
    private static final String CLIENT = "KinesisProducer.java 0.1.0";

    private final Process process;
    private final OutputStream out;
    private final Thread reader = new Thread(this::read, "kinesis-producer");
    /** Keeps the order of lines. The reader never takes it, so it reads while a write waits. */
    private final ReentrantLock writing = new ReentrantLock(true);
    // The monitor of this object guards all that follows, and announces credit and the end.
    private final Map<Long, Waiting> waiting = new LinkedHashMap<>();
    private long lastId;
    private long credit;
    private long maxInFlightBytes;
    private boolean isReady;
    private Totals totals;
    /** Why nothing can be written any more. */
    private UserRecordFailedException end;

    /** Uses the options of the environment variable KINESIS_MULTILANG_PRODUCER, or none. */
    public KinesisProducer() {
        this(new KinesisProducerConfiguration());
    }

    /** @throws IllegalStateException if the program ends at once; its log on STDERR has the reason */
    public KinesisProducer(KinesisProducerConfiguration configuration) {
        try {
            process = new ProcessBuilder(configuration.command()).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        out = process.getOutputStream();
        reader.setDaemon(true);
        reader.start();
        greet();
    }

    /** Puts a record. @param data what the buffer has left; its position does not change */
    public CompletableFuture<UserRecordResult> addUserRecord(String stream, String partitionKey, ByteBuffer data) {
        return addUserRecord(new UserRecord(stream, partitionKey, data));
    }

    public CompletableFuture<UserRecordResult> addUserRecord(String stream, String partitionKey, String explicitHashKey, ByteBuffer data) {
        return addUserRecord(new UserRecord(stream, partitionKey, explicitHashKey, data));
    }

    /**
     * Waits while {@code maxInFlightBytes} of records have no outcome.
     *
     * @return completed when the record is stored, or with a {@link UserRecordFailedException}
     * @throws IllegalArgumentException if the record has no partition key
     */
    public CompletableFuture<UserRecordResult> addUserRecord(UserRecord record) {
        if (record.partitionKey == null) throw new IllegalArgumentException("the partition key is null");
        Map<String, Object> message = new LinkedHashMap<>();
        message.put("action", "put");
        message.put("partitionKey", record.partitionKey);
        ByteBuffer data = record.data == null ? ByteBuffer.allocate(0) : record.data.duplicate();
        ByteBuffer base64 = Base64.getEncoder().encode(data);
        message.put("data", new String(base64.array(), 0, base64.limit(), StandardCharsets.ISO_8859_1));
        if (record.explicitHashKey != null) message.put("explicitHashKey", record.explicitHashKey);
        // Without a stream, the producer's own is used.
        if (record.stream != null) message.put("stream", record.stream);
        return ask(message).thenApply(answer -> (UserRecordResult) answer);
    }

    /** The number of records without an outcome. */
    public synchronized int getOutstandingRecordsCount() {
        return (int) waiting.values().stream().filter(each -> each.isRecord).count();
    }

    /** How long the oldest record without an outcome has waited. */
    public synchronized long getOldestRecordTimeInMillis() {
        for (Waiting each : waiting.values()) if (each.isRecord) return (System.nanoTime() - each.sinceNanos) / 1_000_000;
        return 0;
    }

    /** Sends everything that was added, without waiting for more. It does not wait for outcomes. */
    public void flush() {
        ask(question("flush"));
    }

    /** As {@link #flush()}: the streams are not flushed one by one. */
    public void flush(String stream) {
        flush();
    }

    /** Sends everything that was added, and waits for the outcomes. */
    public void flushSync() {
        try {
            ask(question("flush")).get();
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException error) {
            throw new IllegalStateException(error.getCause());
        }
    }

    public List<Metric> getMetrics() throws InterruptedException, ExecutionException {
        return metrics(null, null);
    }

    public List<Metric> getMetrics(String metricName) throws InterruptedException, ExecutionException {
        return metrics(metricName, null);
    }

    public List<Metric> getMetrics(int windowSeconds) throws InterruptedException, ExecutionException {
        return metrics(null, windowSeconds);
    }

    /** @param windowSeconds 1 to 60: only the samples of these seconds */
    public List<Metric> getMetrics(String metricName, int windowSeconds) throws InterruptedException, ExecutionException {
        return metrics(metricName, windowSeconds);
    }

    /** Sends everything, waits for the outcomes, and ends the producer. */
    public void destroy() {
        close();
    }

    /** Sends everything, waits for the outcomes, and ends the producer. */
    @Override
    public void close() {
        writing.lock();
        try {
            synchronized (this) {
                if (end == null) end = new UserRecordFailedException("Closed", "the producer is closed");
            }
            out.close();
        } catch (IOException error) {
            // The producer has ended. The reader knows why.
        } finally {
            writing.unlock();
        }
        try {
            reader.join();
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }

    /** What became of all records; null before {@link #close} has returned, or if the producer died. */
    public synchronized Totals getTotals() {
        return totals;
    }

    private void greet() {
        synchronized (this) {
            while (!isReady && end == null) await();
            if (end != null) throw new IllegalStateException(end.getMessage());
        }
        Map<String, Object> start = question("start");
        start.put("protocolVersion", PROTOCOL_VERSION);
        start.put("client", CLIENT);
        start.put("credit", true);
        byte[] line = lineOf(start);
        synchronized (this) {
            credit -= line.length;
        }
        write(line);
    }

    @SuppressWarnings("unchecked")
    private List<Metric> metrics(String name, Integer windowSeconds) throws InterruptedException, ExecutionException {
        Map<String, Object> question = question("metrics");
        if (name != null) question.put("name", name);
        if (windowSeconds != null) question.put("windowSeconds", windowSeconds);
        return (List<Metric>) ask(question).get();
    }

    private static Map<String, Object> question(String action) {
        Map<String, Object> message = new LinkedHashMap<>();
        message.put("action", action);
        return message;
    }

    private CompletableFuture<Object> ask(Map<String, Object> message) {
        Waiting answer = new Waiting("put".equals(message.get("action")));
        writing.lock();
        try {
            long id;
            synchronized (this) {
                id = ++lastId;
            }
            message.put("id", id);
            byte[] line = lineOf(message);
            UserRecordFailedException problem = take(id, line.length, answer);
            if (problem != null) answer.future.completeExceptionally(problem);
            else write(line);
        } finally {
            writing.unlock();
        }
        return answer.future;
    }

    /** Waits for credit and registers a line. Returns why it cannot be written. */
    private synchronized UserRecordFailedException take(long id, int cost, Waiting answer) {
        if (cost > MAX_LINE_BYTES) {
            return new UserRecordFailedException("RecordTooLarge", "the record takes " + cost + " bytes in the protocol; allowed: " + MAX_LINE_BYTES);
        }
        while (answer.isRecord && end == null && credit < Math.min(cost, maxInFlightBytes)) await();
        if (end != null) return end;
        credit -= cost;
        waiting.put(id, answer);
        return null;
    }

    /** Waits for a change. An interrupt does not end it: the record would be neither put nor refused. */
    private void await() {
        boolean isInterrupted = false;
        try {
            wait();
        } catch (InterruptedException error) {
            isInterrupted = true;
        }
        if (isInterrupted) Thread.currentThread().interrupt();
    }

    private static byte[] lineOf(Map<String, Object> message) {
        return (Json.write(message) + "\n").getBytes(StandardCharsets.UTF_8);
    }

    private void write(byte[] line) {
        try {
            out.write(line);
            out.flush();
        } catch (IOException error) {
            // The producer has ended. The reader notices, and fails all futures.
        }
    }

    private void read() {
        String why;
        try (BufferedReader in = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) receive((Map<?, ?>) Json.read(line));
            why = "the producer has ended with code " + process.waitFor();
        } catch (Exception error) { // also a line that is not a message
            why = "the producer's output cannot be read: " + error;
        }
        finish(why);
    }

    private void receive(Map<?, ?> message) {
        switch (String.valueOf(message.get("action"))) {
            case "result":
                UserRecordResult result = new UserRecordResult(message);
                if (result.isSuccessful()) settle(message, result, null);
                else settle(message, null, new UserRecordFailedException((String) message.get("error"), (String) message.get("message"), result));
                break;
            case "flushed":
                settle(message, message.get("notStored"), null);
                break;
            case "metrics":
                List<Metric> metrics = new ArrayList<>();
                for (Object each : (List<?>) message.get("metrics")) metrics.add(new Metric((Map<?, ?>) each));
                settle(message, metrics, null);
                break;
            case "ready":
                synchronized (this) {
                    isReady = true;
                    maxInFlightBytes = longOf(message, "maxInFlightBytes");
                    credit = maxInFlightBytes;
                    notifyAll();
                }
                break;
            case "credit":
                synchronized (this) {
                    credit += longOf(message, "bytes");
                    notifyAll();
                }
                break;
            case "closed":
                synchronized (this) {
                    totals = new Totals(longOf(message, "stored"), longOf(message, "failed"), longOf(message, "notStored"));
                }
                break;
            case "error":
                System.err.println("KinesisProducer: the producer refused line " + message.get("line") + ": " + message.get("message"));
                break;
            default: // a message of a later version
        }
    }

    private void settle(Map<?, ?> message, Object value, Exception error) {
        Waiting answer;
        synchronized (this) {
            answer = waiting.remove(message.get("id"));
        }
        if (answer == null) return;
        if (error == null) answer.future.complete(value);
        else answer.future.completeExceptionally(error);
    }

    private void finish(String why) {
        List<Waiting> left;
        UserRecordFailedException error;
        synchronized (this) {
            boolean died = totals == null;
            error = died
                    ? new UserRecordFailedException("ProducerDied", why + "; see its log on STDERR")
                    : new UserRecordFailedException("NotStored", "the producer ended before the record had an outcome");
            end = died ? error : new UserRecordFailedException("Closed", "the producer has ended");
            left = new ArrayList<>(waiting.values());
            waiting.clear();
            notifyAll();
        }
        for (Waiting each : left) each.future.completeExceptionally(error);
    }

    private static long longOf(Map<?, ?> message, String name) {
        return ((Number) message.get(name)).longValue();
    }

    private static final class Waiting {
        final CompletableFuture<Object> future = new CompletableFuture<>();
        final long sinceNanos = System.nanoTime();
        final boolean isRecord;

        Waiting(boolean isRecord) {
            this.isRecord = isRecord;
        }
    }

    /** A record as a program puts it. */
    public static final class UserRecord {
        final String stream;
        final String partitionKey;
        final String explicitHashKey;
        final ByteBuffer data;

        public UserRecord(String stream, String partitionKey, ByteBuffer data) {
            this(stream, partitionKey, null, data);
        }

        /** @param stream null: the stream of the producer's configuration (streamName) */
        public UserRecord(String stream, String partitionKey, String explicitHashKey, ByteBuffer data) {
            this.stream = stream;
            this.partitionKey = partitionKey;
            this.explicitHashKey = explicitHashKey;
            this.data = data;
        }
    }

    /** Where a record is stored. A consumer receives it with these numbers. */
    public static final class UserRecordResult {
        private final List<Attempt> attempts = new ArrayList<>();
        private final String shardId;
        private final String sequenceNumber;
        private final long subSequenceNumber;

        UserRecordResult(Map<?, ?> message) {
            for (Object each : (List<?>) message.get("attempts")) attempts.add(new Attempt((Map<?, ?>) each));
            shardId = (String) message.get("shardId");
            sequenceNumber = (String) message.get("sequenceNumber");
            subSequenceNumber = sequenceNumber == null ? 0 : longOf(message, "subSequenceNumber");
        }

        public List<Attempt> getAttempts() {
            return Collections.unmodifiableList(attempts);
        }

        /** Shared by the records of one aggregate. */
        public String getSequenceNumber() {
            return sequenceNumber;
        }

        /** The position in the aggregate. The KPL does not report it. */
        public long getSubSequenceNumber() {
            return subSequenceNumber;
        }

        public String getShardId() {
            return shardId;
        }

        public boolean isSuccessful() {
            return sequenceNumber != null;
        }
    }

    /** One attempt to store a record. Times are in milliseconds. */
    public static final class Attempt {
        private final Map<?, ?> fields;

        Attempt(Map<?, ?> fields) {
            this.fields = fields;
        }

        /** Since the end of the attempt before, or since the record was added. */
        public int getDelay() {
            return (int) longOf(fields, "delay");
        }

        public int getDuration() {
            return (int) longOf(fields, "duration");
        }

        public boolean isSuccessful() {
            return Boolean.TRUE.equals(fields.get("success"));
        }

        public String getErrorCode() {
            return (String) fields.get("errorCode");
        }

        public String getErrorMessage() {
            return (String) fields.get("errorMessage");
        }

        /** The outcome is unknown: if a later attempt succeeds, the record may be stored twice. */
        public boolean isMaybeStored() {
            return Boolean.TRUE.equals(fields.get("maybeStored"));
        }
    }

    /** A record is not stored. The producer has already retried what a retry can resolve. */
    public static final class UserRecordFailedException extends Exception {
        private final String errorCode;
        private final transient UserRecordResult result;

        UserRecordFailedException(String errorCode, String message) {
            this(errorCode, message, new UserRecordResult(Map.of("attempts", List.of())));
        }

        UserRecordFailedException(String errorCode, String message, UserRecordResult result) {
            super(errorCode + ": " + message);
            this.errorCode = errorCode;
            this.result = result;
        }

        /** A name of the protocol, such as {@code RecordTooLarge}, or of a Kinesis error. */
        public String getErrorCode() {
            return errorCode;
        }

        public UserRecordResult getResult() {
            return result;
        }
    }

    /** A figure under the KPL's name. */
    public static final class Metric {
        private final Map<?, ?> fields;
        private final Map<String, String> dimensions = new HashMap<>();

        Metric(Map<?, ?> fields) {
            this.fields = fields;
            ((Map<?, ?>) fields.get("dimensions")).forEach((name, value) -> dimensions.put((String) name, (String) value));
        }

        public String getName() {
            return (String) fields.get("name");
        }

        public Map<String, String> getDimensions() {
            return Collections.unmodifiableMap(dimensions);
        }

        public double getSum() {
            return number("sum");
        }

        public double getSampleCount() {
            return number("sampleCount");
        }

        public double getMin() {
            return number("min");
        }

        public double getMax() {
            return number("max");
        }

        public double getMean() {
            return getSum() / getSampleCount();
        }

        private double number(String name) {
            return ((Number) fields.get(name)).doubleValue();
        }
    }

    /** What became of all records. {@code notStored} had no outcome when closeTimeoutMillis was over. */
    public static final class Totals {
        public final long stored;
        public final long failed;
        public final long notStored;

        Totals(long stored, long failed, long notStored) {
            this.stored = stored;
            this.failed = failed;
            this.notStored = notStored;
        }
    }

    /** What the producer is told: the keys of the KPL, by setters or in a properties file. */
    public static final class KinesisProducerConfiguration {
        private final Map<String, String> keys = new LinkedHashMap<>();
        private final List<String> options = new ArrayList<>();
        private String file;

        /** Uses a properties file of the KPL, or one of kinesis-multilang. Setters have no effect then. */
        public static KinesisProducerConfiguration fromPropertiesFile(String path) {
            KinesisProducerConfiguration configuration = new KinesisProducerConfiguration();
            configuration.file = path;
            return configuration;
        }

        /** Sets any key of docs/producer.md, such as {@code spill}. */
        public KinesisProducerConfiguration set(String key, Object value) {
            keys.put(key, String.valueOf(value));
            return this;
        }

        /** Adds options of {@code kinesis-multilang produce}. */
        public KinesisProducerConfiguration addOptions(String... more) {
            options.addAll(List.of(more));
            return this;
        }

        public KinesisProducerConfiguration setAggregationEnabled(boolean value) {
            return set("AggregationEnabled", value);
        }

        public KinesisProducerConfiguration setAggregationMaxCount(long value) {
            return set("AggregationMaxCount", value);
        }

        public KinesisProducerConfiguration setAggregationMaxSize(long value) {
            return set("AggregationMaxSize", value);
        }

        public KinesisProducerConfiguration setCollectionMaxCount(long value) {
            return set("CollectionMaxCount", value);
        }

        public KinesisProducerConfiguration setCollectionMaxSize(long value) {
            return set("CollectionMaxSize", value);
        }

        public KinesisProducerConfiguration setFailIfThrottled(boolean value) {
            return set("FailIfThrottled", value);
        }

        public KinesisProducerConfiguration setKinesisEndpoint(String value) {
            return set("KinesisEndpoint", value);
        }

        public KinesisProducerConfiguration setKinesisPort(long value) {
            return set("KinesisPort", value);
        }

        public KinesisProducerConfiguration setLogLevel(String value) {
            return set("LogLevel", value);
        }

        public KinesisProducerConfiguration setMaxConnections(long value) {
            return set("MaxConnections", value);
        }

        public KinesisProducerConfiguration setMetricsGranularity(String value) {
            return set("MetricsGranularity", value.toLowerCase(Locale.ROOT));
        }

        public KinesisProducerConfiguration setMetricsLevel(String value) {
            return set("MetricsLevel", value.toLowerCase(Locale.ROOT));
        }

        public KinesisProducerConfiguration setMetricsNamespace(String value) {
            return set("MetricsNamespace", value);
        }

        public KinesisProducerConfiguration setRateLimit(long value) {
            return set("RateLimit", value);
        }

        public KinesisProducerConfiguration setRecordMaxBufferedTime(long value) {
            return set("RecordMaxBufferedTime", value);
        }

        public KinesisProducerConfiguration setRecordTtl(long value) {
            return set("RecordTtl", value);
        }

        public KinesisProducerConfiguration setRegion(String value) {
            return set("Region", value);
        }

        public KinesisProducerConfiguration setRequestTimeout(long value) {
            return set("RequestTimeout", value);
        }

        List<String> command() throws IOException {
            String given = System.getenv("KINESIS_MULTILANG_PRODUCER");
            if (given != null && !given.isBlank()) return List.of(given.trim().split("\\s+"));
            List<String> command = new ArrayList<>(List.of("kinesis-multilang", "produce", "--protocol"));
            if (file != null) command.addAll(List.of("-p", file));
            else if (!keys.isEmpty()) command.addAll(List.of("-p", written()));
            command.addAll(options);
            return command;
        }

        private String written() throws IOException {
            Path path = Files.createTempFile("kinesis-producer", ".properties");
            path.toFile().deleteOnExit();
            java.util.Properties properties = new java.util.Properties();
            properties.putAll(keys);
            try (Writer writer = Files.newBufferedWriter(path)) {
                properties.store(writer, null);
            }
            return path.toString();
        }
    }
}
