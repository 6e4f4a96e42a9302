package io.lorica.adapter.lokr;

/**
 * A dimension as a product of two numbers.
 *
 * @param small side of the first Kronecker factor
 * @param large side of the second
 */
record Factors(long small, long large) {

    /**
     * As LyCORIS and PEFT split it: {@code factor} times the rest where it divides; else the divisors closest to the square
     * root of which the smaller does not exceed {@code factor} (-1: no limit).
     */
    static Factors of(long dimension, int factor) {
        if (factor > 0 && dimension % factor == 0) {
            return new Factors(factor, dimension / factor);
        }
        long limit = factor == -1 ? dimension : factor;
        long small = 1;
        for (long divisor = 2; divisor <= limit && divisor * divisor <= dimension; divisor++) {
            small = dimension % divisor == 0 ? divisor : small;
        }
        return new Factors(small, dimension / small);
    }
}
