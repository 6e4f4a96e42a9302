package io.lorica.model;

import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;

/**
 * The byte-level alphabet of GPT-2: each byte as one printable character, so that a vocabulary is readable text.
 * Printable Latin-1 stands for itself; the other 68 bytes take the characters from U+0100 on, in order.
 */
final class ByteAlphabet {
    /** GPT-2's split into words, as the ByteLevel pre-tokenizer of Hugging Face does it. */
    static final Pattern WORDS = Pattern.compile(
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
            Pattern.UNICODE_CHARACTER_CLASS);

    private static final char[] OF_BYTE = new char[256];

    static {
        char next = 0x100;
        for (int b = 0; b < 256; b++) {
            boolean printable = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
            OF_BYTE[b] = printable ? (char) b : next++;
        }
    }

    private ByteAlphabet() {}

    static char of(int unsignedByte) {
        return OF_BYTE[unsignedByte];
    }

    /** The UTF-8 bytes of a text in this alphabet. */
    static String spell(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        StringBuilder result = new StringBuilder(bytes.length);
        for (byte b : bytes) {
            result.append(OF_BYTE[b & 0xff]);
        }
        return result.toString();
    }
}
