import Glibc

/// Dates by strftime formats, in the machine's time zone and with English names.
enum DateText {
    static func format(_ format: String, unixTime: Double) -> String {
        var seconds = time_t(max(-6e10, min(unixTime, 2e11)))
        var parts = tm()
        localtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 512)
        let count = strftime(&buffer, buffer.count, format, &parts)
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
