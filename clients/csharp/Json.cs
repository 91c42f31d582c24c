// Reads and writes the protocol's JSON. .NET and Mono have no common JSON reader.

using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Amazon.Kinesis.ClientLibrary
{
    /// <summary>JSON as dictionaries, lists, strings, longs, doubles, booleans and nulls.</summary>
    public sealed class Json
    {
        private const int Deepest = 100;
        private const int Shown = 200;
        private const string Escapes = "\"\"\\\\//b\bf\fn\nr\rt\t";

        private readonly string text;
        private int at;
        private int depth;

        private Json(string text)
        {
            this.text = text;
        }

        /// <exception cref="MalformedMessageException">The text is not exactly one
        /// value.</exception>
        public static object Read(string text)
        {
            var json = new Json(text);
            object value = json.Value();
            json.Space();
            if (json.at < text.Length) throw NoMessage(text);
            return value;
        }

        /// <summary>A string as JSON; null for null.</summary>
        public static string Quote(string value)
        {
            if (value == null) return "null";
            var quoted = new StringBuilder("\"", value.Length + 2);
            for (int index = 0; index < value.Length; index++)
            {
                char each = value[index];
                bool isPair = char.IsHighSurrogate(each) && index + 1 < value.Length && char.IsLowSurrogate(value[index + 1]);
                if (isPair) quoted.Append(each).Append(value[++index]);
                else if (each == '"' || each == '\\') quoted.Append('\\').Append(each);
                else if (each < ' ' || each == '\u2028' || each == '\u2029' || char.IsSurrogate(each))
                    quoted.Append("\\u").Append(((int)each).ToString("x4", CultureInfo.InvariantCulture));
                else quoted.Append(each);
            }
            return quoted.Append('"').ToString();
        }

        internal static string Text(Dictionary<string, object> fields, string name)
        {
            object value;
            if (!fields.TryGetValue(name, out value) || value == null) return null;
            var found = value as string;
            if (found == null) throw new MalformedMessageException("the daemon sent a " + name + " that is not a string");
            return found;
        }

        internal static long? Number(Dictionary<string, object> fields, string name)
        {
            object value;
            if (!fields.TryGetValue(name, out value) || value == null) return null;
            if (!(value is long)) throw new MalformedMessageException("the daemon sent a " + name + " that is not a whole number");
            return (long)value;
        }

        internal static MalformedMessageException NoMessage(string line)
        {
            string shown = line.Length > Shown ? line.Substring(0, Shown) : line;
            return new MalformedMessageException("the daemon sent something that is not a message: " + shown);
        }

        private object Value()
        {
            char next = Peek();
            if (next == '"') return String();
            if (next == '{' || next == '[')
            {
                if (++depth > Deepest) throw NoMessage(text);
                object value = next == '{' ? (object)Object() : Array();
                depth--;
                return value;
            }
            int start = at;
            while (at < text.Length && ",]} \t\r\n".IndexOf(text[at]) < 0) at++;
            return Word(text.Substring(start, at - start));
        }

        private object Word(string word)
        {
            if (word == "null") return null;
            if (word == "true" || word == "false") return word == "true";
            long whole;
            const NumberStyles Whole = NumberStyles.AllowLeadingSign;
            if (long.TryParse(word, Whole, CultureInfo.InvariantCulture, out whole)) return whole;
            double number;
            // Without this check, NaN and Infinity would be accepted.
            bool isNumber = word.Length > 0 && char.IsDigit(word[word.Length - 1]);
            const NumberStyles Fraction = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
            if (isNumber && double.TryParse(word, Fraction, CultureInfo.InvariantCulture, out number)) return number;
            throw NoMessage(text);
        }

        private Dictionary<string, object> Object()
        {
            var found = new Dictionary<string, object>();
            at++;
            if (Ends('}')) return found;
            for (;;)
            {
                if (Peek() != '"') throw NoMessage(text);
                string name = String();
                if (Peek() != ':') throw NoMessage(text);
                at++;
                found[name] = Value();
                if (Ends('}')) return found;
                Comma();
            }
        }

        private List<object> Array()
        {
            var found = new List<object>();
            at++;
            if (Ends(']')) return found;
            for (;;)
            {
                found.Add(Value());
                if (Ends(']')) return found;
                Comma();
            }
        }

        private string String()
        {
            int start = ++at;
            StringBuilder before = null;
            for (;;)
            {
                int end = text.IndexOf('"', at);
                if (end < 0) throw NoMessage(text);
                int escape = text.IndexOf('\\', at, end - at);
                if (escape < 0)
                {
                    string rest = text.Substring(start, end - start);
                    at = end + 1;
                    return before == null ? rest : before.Append(rest).ToString();
                }
                at = escape;
                before = before ?? new StringBuilder();
                before.Append(text, start, escape - start).Append(Escaped());
                start = ++at;
            }
        }

        /// <summary>Reads the character after a backslash, and stops at its last digit.</summary>
        private char Escaped()
        {
            char kind = ++at < text.Length ? text[at] : ' ';
            for (int index = 0; index < Escapes.Length; index += 2)
                if (Escapes[index] == kind) return Escapes[index + 1];
            int code;
            if (kind != 'u' || at + 4 >= text.Length) throw NoMessage(text);
            string digits = text.Substring(at + 1, 4);
            if (!int.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out code)) throw NoMessage(text);
            at += 4;
            return (char)code;
        }

        private bool Ends(char end)
        {
            if (Peek() != end) return false;
            at++;
            return true;
        }

        private void Comma()
        {
            if (Peek() != ',') throw NoMessage(text);
            at++;
        }

        private char Peek()
        {
            Space();
            if (at == text.Length) throw NoMessage(text);
            return text[at];
        }

        private void Space()
        {
            while (at < text.Length && " \t\r\n".IndexOf(text[at]) >= 0) at++;
        }
    }
}
