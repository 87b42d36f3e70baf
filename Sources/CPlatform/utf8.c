// Checking UTF-8 at the speed of reading: each byte is judged together with the one before it, 32 at a time, by three lookups of
// half a byte each (Keiser and Lemire, "Validating UTF-8 in less than one instruction per byte", 2021).
#include "CPlatform.h"

#if defined(__x86_64__)
#include <immintrin.h>

// What two neighbouring bytes can do wrong. A bit survives only when both halves of the first and the upper half of the second
// byte allow it.
enum {
    TOO_SHORT = 1 << 0,   // a leading byte, then no continuation
    TOO_LONG = 1 << 1,    // ASCII, then a continuation
    OVERLONG_3 = 1 << 2,  // E0 80..9F
    TOO_LARGE = 1 << 3,   // F4 90..BF, F5.. 90..BF
    SURROGATE = 1 << 4,   // ED A0..BF
    OVERLONG_2 = 1 << 5,  // C0, C1
    OVERLONG_4 = 1 << 6,  // F0 80..8F, and F5.. 80..8F
    TWO_TAILS = 1 << 7,   // two continuations: wrong unless a leading byte two or three before wants them
    ANY_LOW = TOO_SHORT | TOO_LONG | TWO_TAILS,
};

#define BOTH_LANES(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

// The vector that begins `distance` bytes before `now`.
#define BEFORE(now, last, distance) _mm256_alignr_epi8(now, _mm256_permute2x128_si256(last, now, 0x21), 16 - (distance))

__attribute__((target("avx2"))) static inline __m256i wrong_pairs(__m256i now, __m256i last) {
    const __m256i first_high = BOTH_LANES(
        TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, (char)TWO_TAILS, (char)TWO_TAILS, (char)TWO_TAILS,
        (char)TWO_TAILS, TOO_SHORT | OVERLONG_2, TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE, TOO_SHORT | TOO_LARGE | OVERLONG_4);
    const __m256i first_low = BOTH_LANES(
        (char)(ANY_LOW | OVERLONG_3 | OVERLONG_2 | OVERLONG_4), (char)(ANY_LOW | OVERLONG_2), (char)ANY_LOW, (char)ANY_LOW,
        (char)(ANY_LOW | TOO_LARGE), (char)(ANY_LOW | TOO_LARGE | OVERLONG_4), (char)(ANY_LOW | TOO_LARGE | OVERLONG_4),
        (char)(ANY_LOW | TOO_LARGE | OVERLONG_4), (char)(ANY_LOW | TOO_LARGE | OVERLONG_4), (char)(ANY_LOW | TOO_LARGE | OVERLONG_4),
        (char)(ANY_LOW | TOO_LARGE | OVERLONG_4), (char)(ANY_LOW | TOO_LARGE | OVERLONG_4), (char)(ANY_LOW | TOO_LARGE | OVERLONG_4),
        (char)(ANY_LOW | TOO_LARGE | OVERLONG_4 | SURROGATE), (char)(ANY_LOW | TOO_LARGE | OVERLONG_4),
        (char)(ANY_LOW | TOO_LARGE | OVERLONG_4));
    const __m256i second_high = BOTH_LANES(
        TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
        (char)(TOO_LONG | OVERLONG_2 | TWO_TAILS | OVERLONG_3 | OVERLONG_4), (char)(TOO_LONG | OVERLONG_2 | TWO_TAILS | OVERLONG_3 | TOO_LARGE),
        (char)(TOO_LONG | OVERLONG_2 | TWO_TAILS | SURROGATE | TOO_LARGE), (char)(TOO_LONG | OVERLONG_2 | TWO_TAILS | SURROGATE | TOO_LARGE),
        TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT);
    const __m256i half = _mm256_set1_epi8(0x0F);
    __m256i one_before = BEFORE(now, last, 1);
    __m256i pairs = _mm256_and_si256(
        _mm256_and_si256(
            _mm256_shuffle_epi8(first_high, _mm256_and_si256(_mm256_srli_epi16(one_before, 4), half)),
            _mm256_shuffle_epi8(first_low, _mm256_and_si256(one_before, half))),
        _mm256_shuffle_epi8(second_high, _mm256_and_si256(_mm256_srli_epi16(now, 4), half)));
    // The third byte after E0.. and the third and fourth after F0.. must be the second of two continuations, and no other may.
    __m256i third = _mm256_subs_epu8(BEFORE(now, last, 2), _mm256_set1_epi8((char)(0xE0 - 0x80)));
    __m256i fourth = _mm256_subs_epu8(BEFORE(now, last, 3), _mm256_set1_epi8((char)(0xF0 - 0x80)));
    __m256i wanted = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
    return _mm256_xor_si256(pairs, wanted);
}

__attribute__((target("avx2"))) static size_t checked_prefix_avx2(const uint8_t *bytes, size_t count) {
    __m256i last = _mm256_setzero_si256();
    size_t position = 0;
    for (; position + 32 <= count; position += 32) {
        __m256i now = _mm256_loadu_si256((const __m256i *)(bytes + position));
        // ASCII after ASCII is never wrong.
        if (_mm256_movemask_epi8(_mm256_or_si256(now, last)) != 0) {
            __m256i wrong = wrong_pairs(now, last);
            if (!_mm256_testz_si256(wrong, wrong)) break;
        }
        last = now;
    }
    return position;
}
#endif

size_t platform_utf8_prefix(const uint8_t *bytes, size_t count) {
    size_t checked = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) checked = checked_prefix_avx2(bytes, count);
#endif
    // A character that reaches beyond what was checked is not part of it: its first byte is at most three back.
    for (size_t back = 1; back <= 3 && back <= checked; back++)
        if (bytes[checked - back] >= 0xC0) return checked - back;
    return checked;
}
