package kinesismultilang;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The part of JSON that the protocol needs, as maps, lists, strings, longs, doubles, booleans and
 * nulls. It is parsed from bytes as they arrive, so a batch is never in memory as text.
 */
public final class Json {
    private static final int DEEPEST = 100;
    private static final Pattern NUMBER = Pattern.compile("-?(0|[1-9]\\d*)(\\.\\d+)?([eE][-+]?\\d+)?");
    private static final Pattern LONG = Pattern.compile("-?\\d{1,18}");
    private static final int LONGEST_LONG = 18;
    private static final int WINDOW_BYTES = 1 << 16;
    /** If a long string has made a buffer larger, it is freed after the message. */
    private static final int KEPT_WINDOW_BYTES = 1 << 20;
    private static final int SHOWN_BYTES = 200;
    /** Keys that occur in each record, indexed by length: they need no new string. */
    private static final String[] KEYS = new String[28];

    static {
        for (String key : List.of("data", "action", "partitionKey", "sequenceNumber", "subSequenceNumber", "approximateArrivalTimestamp")) {
            KEYS[key.length()] = key;
        }
    }

    /** How many base64 digits are decoded at once, and to how many bytes. */
    private static final int DIGITS = 8;

    private static final int BYTES = 6;
    private static final VarHandle LITTLE_ENDIAN = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle BIG_ENDIAN = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
    /** The twelve bits of every two base64 digits, or -1. The index has the first one in its low byte. */
    private static final short[] PAIRS = new short[1 << 16];

    static {
        String digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        Arrays.fill(PAIRS, (short) -1);
        for (int bits = 0; bits < 1 << 12; bits++) PAIRS[digits.charAt(bits >> 6) | digits.charAt(bits & 63) << 8] = (short) bits;
    }

    private final InputStream in;
    /** Whether a line break ends the value, as it ends a message. */
    private final boolean lines;
    /**
     * What has been read. Bytes before `at` are no longer needed, unless they are kept from `mark`
     * on.
     */
    private byte[] window;
    private int at;
    private int end;
    private int mark;
    private int depth;
    /** Where a payload is decoded before its size is known. */
    private byte[] decoded = new byte[WINDOW_BYTES];

    private Json(InputStream in, boolean lines, int windowBytes) {
        this.in = in;
        this.lines = lines;
        window = new byte[windowBytes];
    }

    /** Reads messages, one per line; see {@link #message}. */
    static Json messages(InputStream in) {
        return new Json(in, true, WINDOW_BYTES);
    }

    /** @throws IllegalArgumentException if the text is not exactly one value. */
    public static Object read(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        Json json = new Json(new ByteArrayInputStream(bytes), false, bytes.length + 1);
        try {
            Object value = json.value();
            if (json.more()) throw json.unexpected();
            return value;
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
    }

    /** Writes what {@link #read} returns. */
    public static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out);
        return out.toString();
    }

    /**
     * The object in the next line that is not blank, or null at the end of the input. The objects
     * in its `records` become {@link Kcl.KinesisClientRecord}s.
     */
    Map<String, Object> message() throws IOException {
        if (window.length > KEPT_WINDOW_BYTES && end - at < WINDOW_BYTES) {
            window = Arrays.copyOf(Arrays.copyOfRange(window, at, end), WINDOW_BYTES);
            end -= at;
            at = 0;
        }
        if (decoded.length > KEPT_WINDOW_BYTES) decoded = new byte[WINDOW_BYTES];
        while (more() && window[at] == '\n') at++;
        if (!more()) return null;
        String begun = new String(window, at, Math.min(SHOWN_BYTES, end - at), StandardCharsets.UTF_8).split("\n", 2)[0];
        try {
            Map<String, Object> message = new LinkedHashMap<>();
            object(key -> message.put(key, key.equals("records") && peek() == '[' ? array(this::element) : value()));
            if (more() && window[at] != '\n') throw unexpected();
            return message;
        } catch (IllegalArgumentException wrong) {
            throw new IllegalArgumentException(
                    "the daemon sent something that is not a message (" + wrong.getMessage() + "): " + begun, wrong);
        }
    }

    private Object element() throws IOException {
        if (peek() != '{') return value();
        Kcl.KinesisClientRecord record = new Kcl.KinesisClientRecord();
        object(key -> {
            switch (key) {
                case "data":
                    record.data = peek() == '"' ? data() : value();
                    break;
                case "partitionKey":
                    record.partitionKey = value();
                    break;
                case "sequenceNumber":
                    record.sequenceNumber = value();
                    break;
                case "subSequenceNumber":
                    record.subSequenceNumber = value();
                    break;
                case "approximateArrivalTimestamp":
                    record.approximateArrivalTimestamp = value();
                    break;
                default:
                    value();
            }
        });
        return record;
    }

    private Object value() throws IOException {
        byte next = peek();
        if (next == '"') return string();
        if (next == '{' || next == '[') {
            if (++depth > DEEPEST) throw unexpected();
            Object value = next == '{' ? map() : array(this::value);
            depth--;
            return value;
        }
        mark = at;
        long number = 0;
        int digits = 0;
        for (; (at < end || fill()) && !endsWord(window[at]); at++) {
            int digit = window[at] - '0';
            digits = digit >= 0 && digit <= 9 && digits == at - mark ? digits + 1 : -1;
            number = 10 * number + digit;
        }
        boolean plain = digits > 0 && digits <= LONGEST_LONG && (window[mark] != '0' || digits == 1);
        return plain ? (Object) number : word(new String(window, mark, at - mark, StandardCharsets.UTF_8));
    }

    private static boolean endsWord(byte next) {
        return next == ',' || next == '}' || next == ']' || next == ' ' || next == '\n' || next == '\r' || next == '\t';
    }

    private Object word(String word) {
        if (word.equals("null")) return null;
        if (word.equals("true") || word.equals("false")) return word.equals("true");
        if (!NUMBER.matcher(word).matches()) {
            at = mark;
            throw unexpected();
        }
        return LONG.matcher(word).matches() ? (Object) Long.valueOf(word) : (Object) Double.valueOf(word);
    }

    private interface Member {
        void read(String key) throws IOException;
    }

    private interface Item {
        Object read() throws IOException;
    }

    private Map<String, Object> map() throws IOException {
        Map<String, Object> map = new LinkedHashMap<>();
        object(key -> map.put(key, value()));
        return map;
    }

    /** Calls `member` with each key. `member` reads the value. */
    private void object(Member member) throws IOException {
        expect('{');
        if (taken('}')) return;
        do {
            if (peek() != '"') throw unexpected();
            String key = string();
            expect(':');
            member.read(key);
        } while (taken(','));
        expect('}');
    }

    private List<Object> array(Item item) throws IOException {
        List<Object> array = new ArrayList<>();
        expect('[');
        if (taken(']')) return array;
        do array.add(item.read()); while (taken(','));
        expect(']');
        return array;
    }

    private String string() throws IOException {
        if (!quoted()) return unescaped();
        int length = at - mark - 2;
        String known = length < KEYS.length ? KEYS[length] : null;
        return known != null && isKnown(known) ? known : new String(window, mark + 1, length, StandardCharsets.ISO_8859_1);
    }

    private boolean isKnown(String key) {
        for (int index = 0; index < key.length(); index++) if (window[mark + 1 + index] != key.charAt(index)) return false;
        return true;
    }

    /** The payload, or its text if that cannot be decoded while it is read. */
    private Object data() throws IOException {
        byte[] data = base64();
        return data == null ? string() : data;
    }

    /**
     * Decodes base64 while it looks for the end of the string, eight digits at a time. Returns null
     * without reading anything if the end is not plain, or not certain to be in the window.
     */
    private byte[] base64() throws IOException {
        mark = at;
        int size = 0;
        int from = at + 1;
        for (; ; from += DIGITS) {
            // Input may end with this string, so it waits for more only after a digit.
            while (from + DIGITS >= end) {
                for (int each = from; each < end; each++) if (window[each] <= '"') return null;
                from -= mark;
                if (!fill()) return null;
            }
            long eight = (long) LITTLE_ENDIAN.get(window, from);
            int a = PAIRS[(int) eight & 0xffff];
            int b = PAIRS[(int) (eight >>> 16) & 0xffff];
            int c = PAIRS[(int) (eight >>> 32) & 0xffff];
            int d = PAIRS[(int) (eight >>> 48)];
            if ((a | b | c | d) < 0) break;
            if (size + DIGITS > decoded.length) decoded = Arrays.copyOf(decoded, 2 * decoded.length);
            // Two bytes too many: the next step overwrites them.
            BIG_ENDIAN.set(decoded, size, (long) a << 52 | (long) b << 40 | (long) c << 28 | (long) d << 16);
            size += BYTES;
        }
        int quote = from;
        while (window[quote] != '"') if (++quote > from + DIGITS) return null;
        try {
            byte[] last = Base64.getDecoder().decode(Arrays.copyOfRange(window, from, quote));
            at = quote + 1;
            byte[] data = Arrays.copyOf(decoded, size + last.length);
            System.arraycopy(last, 0, data, size, last.length);
            return data;
        } catch (IllegalArgumentException notBase64) {
            return null;
        }
    }

    /**
     * Reads a string, which then extends from `mark` to `at`. Returns whether it is ASCII without
     * escapes.
     */
    private boolean quoted() throws IOException {
        boolean plain = true;
        mark = at++;
        for (; at < end || fill(); at++) {
            byte next = window[at];
            if (next > '"' && next != '\\') continue; // nearly all characters
            if (next == '"') {
                at++;
                return plain;
            }
            if (next >= 0 && next < ' ') throw unexpected();
            if (next == '\\') {
                at++;
                if (at == end && !fill()) throw unexpected();
                if (window[at] < ' ' && window[at] >= 0) throw unexpected();
            }
            plain &= next > 0 && next != '\\';
        }
        throw unexpected();
    }

    private String unescaped() {
        String text = new String(window, mark + 1, at - mark - 2, StandardCharsets.UTF_8);
        StringBuilder parts = new StringBuilder();
        int from = 0;
        for (int slash = text.indexOf('\\'); slash >= 0; slash = text.indexOf('\\', from)) {
            parts.append(text, from, slash);
            char next = text.charAt(slash + 1);
            from = slash + 2;
            if (next == 'u' && text.substring(from, Math.min(from + 4, text.length())).matches("[0-9a-fA-F]{4}")) {
                parts.append((char) Integer.parseInt(text.substring(from, from + 4), 16));
                from += 4;
                continue;
            }
            int which = "\"\\/bfnrt".indexOf(next);
            if (which < 0) throw unexpected();
            parts.append("\"\\/\b\f\n\r\t".charAt(which));
        }
        return parts.append(text, from, text.length()).toString();
    }

    /** Skips blanks. Returns whether anything follows. */
    private boolean more() throws IOException {
        for (; ; at++) {
            mark = at;
            if (at == end && !fill()) return false;
            byte next = window[at];
            if (next != ' ' && next != '\t' && next != '\r' && (next != '\n' || lines)) return true;
        }
    }

    private byte peek() throws IOException {
        if (!more()) throw unexpected();
        return window[at];
    }

    private boolean taken(char wanted) throws IOException {
        boolean found = peek() == wanted;
        if (found) at++;
        return found;
    }

    private void expect(char wanted) throws IOException {
        if (!taken(wanted)) throw unexpected();
    }

    /**
     * Reads more, after moving the part that is kept to the front. Returns false at the end of the
     * input.
     */
    private boolean fill() throws IOException {
        System.arraycopy(window, mark, window, 0, end - mark);
        end -= mark;
        at -= mark;
        mark = 0;
        if (end == window.length) window = Arrays.copyOf(window, 2 * end);
        int size = in.read(window, end, window.length - end);
        if (size > 0) end += size;
        return size > 0;
    }

    private IllegalArgumentException unexpected() {
        int from = Math.max(0, at - 20);
        String near = new String(window, from, Math.min(end, at + 20) - from, StandardCharsets.UTF_8);
        return new IllegalArgumentException("not JSON, near: " + near.split("\n", 2)[0]);
    }

    private static void write(Object value, StringBuilder out) {
        if (value instanceof Map) {
            char before = '{';
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                write(String.valueOf(entry.getKey()), out.append(before));
                write(entry.getValue(), out.append(':'));
                before = ',';
            }
            out.append(before == '{' ? "{}" : "}");
        } else if (value instanceof List) {
            char before = '[';
            for (Object each : (List<?>) value) {
                write(each, out.append(before));
                before = ',';
            }
            out.append(before == '[' ? "[]" : "]");
        } else if (value instanceof String) {
            out.append('"');
            for (char each : ((String) value).toCharArray()) {
                if (each == '"' || each == '\\') out.append('\\').append(each);
                else if (each < ' ') out.append(String.format("\\u%04x", (int) each));
                else out.append(each);
            }
            out.append('"');
        } else {
            out.append(value); // numbers, booleans, null
        }
    }
}
