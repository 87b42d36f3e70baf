/// Reads lines of trainer_log.jsonl fast: a run of a million steps is opened in the time that a person notices.

import Events
import Glibc

/// A scanner for the one shape that log lines have: a flat object of numbers and plain strings. Everything else (nesting, escapes,
/// damage) is left to the strict reader, which is slower and right.
struct TrainerLogScanner {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    /// - Parameter bytes: one line. A byte that ends a number must follow it in memory.
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The event that a line stands for; nil for lines that are broken or carry nothing that is known here.
    static func event(_ line: UnsafeRawBufferPointer) -> JobEvent? {
        var scanner = TrainerLogScanner(line)
        if let event = scanner.scan() { return event }
        return TrainerLog.event(line: String(decoding: line, as: UTF8.self))
    }

    private enum Value {
        case number(Double)
        case text(UnsafeRawBufferPointer)
        case other
    }

    private mutating func scan() -> JobEvent? {
        var metrics = StepMetrics(step: 0, totalSteps: 0)
        var evaluationLoss: Double?
        var hasStep = false
        var rate: Double?
        var clockTimes = (elapsed: 0.0, remaining: 0.0)
        var seconds: (elapsed: Double?, remaining: Double?) = (nil, nil)
        skipSpaces()
        guard take(UInt8(ascii: "{")) else { return nil }
        while true {
            skipSpaces()
            guard let key = string() else { return nil }
            skipSpaces()
            guard take(UInt8(ascii: ":")) else { return nil }
            skipSpaces()
            guard let value = value() else { return nil }
            switch (Self.key(key), value) {
            case (.step, .number(let number)):
                guard let step = Int(exactly: number) else { return nil }
                metrics.step = step
                hasStep = true
            case (.totalSteps, .number(let number)): metrics.totalSteps = Int(exactly: number) ?? 0
            case (.loss, .number(let number)): metrics.loss = number
            case (.evaluationLoss, .number(let number)): evaluationLoss = number
            case (.rate, .number(let number)): metrics.learningRate = number
            case (.otherRate, .number(let number)): rate = number
            case (.epoch, .number(let number)): metrics.epoch = number
            case (.norm, .number(let number)): metrics.gradientNorm = number
            case (.speed, .number(let number)): metrics.tokensPerSecond = number
            case (.tokens, .number(let number)): metrics.tokensSeen = Int(exactly: number) ?? 0
            case (.elapsedSeconds, .number(let number)): seconds.elapsed = number
            case (.remainingSeconds, .number(let number)): seconds.remaining = number
            case (.elapsedTime, .text(let text)): clockTimes.elapsed = Self.seconds(text)
            case (.remainingTime, .text(let text)): clockTimes.remaining = Self.seconds(text)
            case (.elapsedTime, .number(let number)): clockTimes.elapsed = number
            case (.remainingTime, .number(let number)): clockTimes.remaining = number
            case (.unknown, .number(let number)): metrics.extra[String(decoding: key, as: UTF8.self)] = number
            default: break
            }
            skipSpaces()
            if take(UInt8(ascii: ",")) { continue }
            guard take(UInt8(ascii: "}")) else { return nil }
            skipSpaces()
            guard position == bytes.count, hasStep else { return nil }
            break
        }
        if let evaluationLoss {
            return .evaluation(EvaluationMetrics(step: metrics.step, epoch: metrics.epoch, loss: evaluationLoss, values: metrics.extra))
        }
        metrics.learningRate = metrics.learningRate ?? rate
        metrics.elapsedSeconds = seconds.elapsed ?? clockTimes.elapsed
        metrics.remainingSeconds = seconds.remaining ?? clockTimes.remaining
        return .step(metrics)
    }

    // MARK: Keys

    private enum Key {
        case step, totalSteps, loss, evaluationLoss, rate, otherRate, epoch, norm, speed, tokens
        case elapsedSeconds, remainingSeconds, elapsedTime, remainingTime, percentage, unknown
    }

    private static let keys: [(StaticString, Key)] = [
        ("lr", .rate), ("loss", .loss), ("epoch", .epoch), ("current_steps", .step), ("total_steps", .totalSteps),
        ("percentage", .percentage), ("elapsed_time", .elapsedTime), ("remaining_time", .remainingTime), ("throughput", .speed),
        ("total_tokens", .tokens), ("grad_norm", .norm), ("eval_loss", .evaluationLoss), ("elapsed_seconds", .elapsedSeconds),
        ("remaining_seconds", .remainingSeconds), ("learning_rate", .otherRate),
    ]

    private static func key(_ bytes: UnsafeRawBufferPointer) -> Key {
        guard let base = bytes.baseAddress else { return .unknown }
        for (name, key) in keys where name.utf8CodeUnitCount == bytes.count {
            if memcmp(name.utf8Start, base, bytes.count) == 0 { return key }
        }
        return .unknown
    }

    // MARK: Values

    private var byte: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpaces() {
        while position < bytes.count, bytes[position] == 0x20 || bytes[position] == 0x09 { position += 1 }
    }

    private mutating func take(_ expected: UInt8) -> Bool {
        guard byte == expected else { return false }
        position += 1
        return true
    }

    /// A string without escapes; nil for one with any.
    private mutating func string() -> UnsafeRawBufferPointer? {
        guard take(UInt8(ascii: "\"")) else { return nil }
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position += 1
                return UnsafeRawBufferPointer(rebasing: bytes[start..<(position - 1)])
            case UInt8(ascii: "\\"), 0..<0x20: return nil
            default: position += 1
            }
        }
        return nil
    }

    private mutating func value() -> Value? {
        guard let first = byte else { return nil }
        switch first {
        case UInt8(ascii: "\""): return string().map(Value.text)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return number().map(Value.number)
        case UInt8(ascii: "-"):
            if word("-Infinity") { return .number(-.infinity) }
            return number().map(Value.number)
        case UInt8(ascii: "N"): return word("NaN") ? .number(.nan) : nil
        case UInt8(ascii: "I"): return word("Infinity") ? .number(.infinity) : nil
        case UInt8(ascii: "t"): return word("true") ? .other : nil
        case UInt8(ascii: "f"): return word("false") ? .other : nil
        case UInt8(ascii: "n"): return word("null") ? .other : nil
        default: return nil
        }
    }

    private mutating func word(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard position + count <= bytes.count, let base = bytes.baseAddress, memcmp(base + position, word.utf8Start, count) == 0 else { return false }
        position += count
        return true
    }

    /// A decimal number. Up to 15 digits and a small exponent are exact in one multiplication or division (Clinger 1990); the C
    /// library does the others.
    private mutating func number() -> Double? {
        let start = position
        let isNegative = take(UInt8(ascii: "-"))
        var mantissa: UInt64 = 0
        var digits = 0
        var scale = 0
        var isFraction = false
        let firstDigit = position
        // JSON has no leading zeros.
        if byte == UInt8(ascii: "0"), position + 1 < bytes.count, bytes[position + 1] >= UInt8(ascii: "0"), bytes[position + 1] <= UInt8(ascii: "9") {
            return nil
        }
        while let next = byte {
            if next >= UInt8(ascii: "0"), next <= UInt8(ascii: "9") {
                if digits < 18 { mantissa = mantissa * 10 + UInt64(next - UInt8(ascii: "0")) }
                if mantissa > 0 { digits += 1 }
                if isFraction { scale -= 1 }
            } else if next == UInt8(ascii: "."), !isFraction, position > firstDigit {
                isFraction = true
            } else {
                break
            }
            position += 1
        }
        guard position > firstDigit, bytes[position - 1] != UInt8(ascii: ".") else { return nil }
        if let next = byte, next | 0x20 == UInt8(ascii: "e") {
            position += 1
            let isDown = byte == UInt8(ascii: "-")
            if isDown || byte == UInt8(ascii: "+") { position += 1 }
            var exponent = 0
            let firstExponentDigit = position
            while let next = byte, next >= UInt8(ascii: "0"), next <= UInt8(ascii: "9") {
                if exponent < 10_000 { exponent = exponent * 10 + Int(next - UInt8(ascii: "0")) }
                position += 1
            }
            guard position > firstExponentDigit else { return nil }
            scale += isDown ? -exponent : exponent
        }
        if digits <= 15, scale >= -22, scale <= 22 {
            let value = scale < 0 ? Double(mantissa) / Self.powers[-scale] : Double(mantissa) * Self.powers[scale]
            return isNegative ? -value : value
        }
        guard let base = bytes.baseAddress else { return nil }
        return strtod((base + start).assumingMemoryBound(to: CChar.self), nil)
    }

    private static let powers: [Double] = (0...22).map { pow(10, Double($0)) }

    /// Seconds of `H:MM:SS` or `D days, H:MM:SS`.
    private static func seconds(_ text: UnsafeRawBufferPointer) -> Double {
        var total = 0
        var part = 0
        var isPlain = true
        for byte in text {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): if part < 1_000_000_000 { part = part * 10 + Int(byte - UInt8(ascii: "0")) }
            // A damaged line may hold any number of colons.
            case UInt8(ascii: ":") where total < 1 << 40:
                total = (total + part) * 60
                part = 0
            default: isPlain = false
            }
        }
        guard isPlain else { return TrainerLog.seconds(.string(String(decoding: text, as: UTF8.self))) }
        return Double(total + part)
    }
}
