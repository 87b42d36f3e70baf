import Glibc

/// Arithmetic that needs the C library.
enum JinjaNumbers {
    static func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }
}
