/// Reads a module that assigns one literal dictionary of numbers, `P={'B': {'\u4e00': -3.65, ...}, ...}`: the form of jieba's
/// tables. Nothing is executed.

import Glibc
import Platform

struct PythonTable {
    indirect enum Value {
        case number(Double)
        case table([(key: [UInt32], value: Value)])
    }

    static func parse(path: String) throws -> [(key: [UInt32], value: Value)] {
        let bytes = try FileSystem.readBytes(path)
        guard let opening = bytes.firstIndex(of: UInt8(ascii: "{")) else {
            throw SegmentationError.malformedTable(path: path, expected: "a dictionary")
        }
        var table = PythonTable(path: path, bytes: bytes, position: opening)
        return try table.dictionary(depth: 0)
    }

    private let path: String
    private let bytes: [UInt8]
    private var position: Int

    private init(path: String, bytes: [UInt8], position: Int) {
        self.path = path
        self.bytes = bytes
        self.position = position
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || (0x09...0x0D).contains(byte) || byte == UInt8(ascii: "\\") { position += 1 }
    }

    private mutating func expect(_ byte: UInt8) throws {
        skipSpace()
        guard current == byte else {
            throw SegmentationError.malformedTable(path: path, expected: "\"\(Character(Unicode.Scalar(byte)))\" at byte \(position)")
        }
        position += 1
    }

    private mutating func dictionary(depth: Int) throws -> [(key: [UInt32], value: Value)] {
        try expect(UInt8(ascii: "{"))
        var entries: [(key: [UInt32], value: Value)] = []
        while true {
            skipSpace()
            if current == UInt8(ascii: "}") {
                position += 1
                return entries
            }
            let key = try string()
            try expect(UInt8(ascii: ":"))
            skipSpace()
            if current == UInt8(ascii: "{"), depth < 2 {
                entries.append((key, .table(try dictionary(depth: depth + 1))))
            } else {
                entries.append((key, .number(try number())))
            }
            skipSpace()
            if current == UInt8(ascii: ",") { position += 1 }
        }
    }

    private mutating func string() throws -> [UInt32] {
        skipSpace()
        if current == UInt8(ascii: "u") { position += 1 }
        guard let quote = current, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else {
            throw SegmentationError.malformedTable(path: path, expected: "a quoted key at byte \(position)")
        }
        position += 1
        var text: [UInt8] = []
        var scalars: [UInt32] = []
        while let byte = current, byte != quote {
            if byte == UInt8(ascii: "\\"), position + 6 <= bytes.count, bytes[position + 1] == UInt8(ascii: "u"),
                let value = UInt32(String(decoding: bytes[(position + 2)..<(position + 6)], as: UTF8.self), radix: 16)
            {
                scalars.append(contentsOf: String(decoding: text, as: UTF8.self).unicodeScalars.map(\.value))
                text.removeAll()
                scalars.append(value)
                position += 6
            } else {
                text.append(byte)
                position += 1
            }
        }
        try expect(quote)
        return scalars + String(decoding: text, as: UTF8.self).unicodeScalars.map(\.value)
    }

    private mutating func number() throws -> Double {
        let start = position
        while let byte = current, (0x30...0x39).contains(byte) || "+-.eE".utf8.contains(byte) { position += 1 }
        guard let value = Double(String(decoding: bytes[start..<position], as: UTF8.self)) else {
            throw SegmentationError.malformedTable(path: path, expected: "a number at byte \(start)")
        }
        return value
    }
}
