package kinesismultilang;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** JSON as maps, lists, strings, longs, doubles, booleans and nulls: as much of it as the protocol needs. */
public final class Json {
    private static final int DEEPEST = 100;
    private static final Pattern NUMBER = Pattern.compile("-?(0|[1-9]\\d*)(\\.\\d+)?([eE][-+]?\\d+)?");
    private static final Pattern LONG = Pattern.compile("-?\\d{1,18}");

    private final String text;
    private int at;
    private int depth;

    private Json(String text) {
        this.text = text;
    }

    /** @throws IllegalArgumentException when the text is not exactly one value. */
    public static Object read(String text) {
        Json json = new Json(text);
        Object value = json.value();
        json.space();
        if (json.at < text.length()) throw json.unexpected();
        return value;
    }

    /** Writes what {@link #read} returns. */
    public static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out);
        return out.toString();
    }

    private Object value() {
        char next = peek();
        if (next == '"') return string();
        if (next == '{' || next == '[') {
            if (++depth > DEEPEST) throw unexpected();
            Object value = next == '{' ? object() : array();
            depth--;
            return value;
        }
        int from = at;
        while (at < text.length() && ",]} \t\r\n".indexOf(text.charAt(at)) < 0) at++;
        String word = text.substring(from, at);
        if (word.equals("null")) return null;
        if (word.equals("true") || word.equals("false")) return word.equals("true");
        at = from;
        if (!NUMBER.matcher(word).matches()) throw unexpected();
        at += word.length();
        return LONG.matcher(word).matches() ? (Object) Long.valueOf(word) : (Object) Double.valueOf(word);
    }

    private Map<String, Object> object() {
        Map<String, Object> object = new LinkedHashMap<>();
        at++;
        if (taken('}')) return object;
        do {
            if (peek() != '"') throw unexpected();
            String key = string();
            expect(':');
            object.put(key, value());
        } while (taken(','));
        expect('}');
        return object;
    }

    private List<Object> array() {
        List<Object> array = new ArrayList<>();
        at++;
        if (taken(']')) return array;
        do array.add(value()); while (taken(','));
        expect(']');
        return array;
    }

    private String string() {
        int from = ++at;
        StringBuilder parts = null; // only for strings with a backslash
        for (; at < text.length(); at++) {
            char next = text.charAt(at);
            if (next < ' ') throw unexpected();
            if (next == '"') {
                String rest = text.substring(from, at++);
                return parts == null ? rest : parts.append(rest).toString();
            }
            if (next == '\\') {
                if (parts == null) parts = new StringBuilder();
                parts.append(text, from, at);
                at++;
                parts.append(escaped());
                from = at + 1;
            }
        }
        throw unexpected();
    }

    /** Leaves `at` on the last character of the escape. */
    private char escaped() {
        char next = at < text.length() ? text.charAt(at) : ' ';
        if (next == 'u' && text.substring(at + 1, Math.min(at + 5, text.length())).matches("[0-9a-fA-F]{4}")) {
            at += 4;
            return (char) Integer.parseInt(text.substring(at - 3, at + 1), 16);
        }
        int which = "\"\\/bfnrt".indexOf(next);
        if (which < 0) throw unexpected();
        return "\"\\/\b\f\n\r\t".charAt(which);
    }

    private char peek() {
        space();
        if (at >= text.length()) throw unexpected();
        return text.charAt(at);
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
    }

    private boolean taken(char wanted) {
        boolean found = peek() == wanted;
        if (found) at++;
        return found;
    }

    private void expect(char wanted) {
        if (!taken(wanted)) throw unexpected();
    }

    private IllegalArgumentException unexpected() {
        String near = text.substring(Math.max(0, at - 20), Math.min(text.length(), at + 20));
        return new IllegalArgumentException("not JSON at character " + at + ", near: " + near);
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
