/// TensorBoard event files: scalars that TensorBoard draws.
///
/// A record is  u64 length | u32 masked crc of the length | payload | u32 masked crc of the payload,  all little-endian, with
/// crc = CRC-32C and masked = (crc rotated right by 15) + 0xa282ead8. A payload is an `Event` protocol buffer:
/// 1 wall_time (double), 2 step (int64), 3 file_version (string, first record only), 5 summary { 1 value { 1 tag, 2 simple_value } }.

import CPlatform
import Platform

public final class TensorBoardWriter {
    public let path: String
    private let file: AppendFile

    /// Begins a new file `events.out.tfevents.<unix time>.<host>.<process>.<number>` in the directory, which is made when missing.
    public init(directory: String, wallTime: Double = Clock.unixTime()) throws(PlatformError) {
        try FileSystem.createDirectory(directory)
        let name = "events.out.tfevents.\(Int(wallTime)).\(SystemInfo.hostName).\(ProcessRunner.ownIdentifier)"
        // Two runs that begin in one second in one process get numbers.
        var number = 0
        while FileSystem.exists(Path.join(directory, "\(name).\(number)")) { number += 1 }
        path = Path.join(directory, "\(name).\(number)")
        file = try AppendFile(path: path)
        var version = ProtocolBuffer()
        version.double(1, wallTime)
        version.text(3, "brain.Event:2")
        try file.write(bytes: Self.record(version.bytes))
    }

    /// One point of the series `tag`, such as "train/loss".
    public func add(tag: String, value: Double, step: Int, wallTime: Double = Clock.unixTime()) throws(PlatformError) {
        var point = ProtocolBuffer()
        point.text(1, tag)
        point.float(2, Float(value))
        var summary = ProtocolBuffer()
        summary.message(1, point)
        var event = ProtocolBuffer()
        event.double(1, wallTime)
        event.integer(2, step)
        event.message(5, summary)
        try file.write(bytes: Self.record(event.bytes))
    }

    public func close() { file.close() }

    static func record(_ payload: [UInt8]) -> [UInt8] {
        let length = withUnsafeBytes(of: UInt64(payload.count).littleEndian) { Array($0) }
        return length + maskedChecksum(length) + payload + maskedChecksum(payload)
    }

    private static func maskedChecksum(_ bytes: [UInt8]) -> [UInt8] {
        let crc = platform_crc32c(0, bytes, bytes.count)
        let masked = ((crc >> 15) | (crc << 17)) &+ 0xA282_EAD8
        return withUnsafeBytes(of: masked.littleEndian) { Array($0) }
    }
}

/// The few wire types that events need.
private struct ProtocolBuffer {
    var bytes: [UInt8] = []

    mutating func integer(_ field: Int, _ value: Int) {
        key(field, wireType: 0)
        variable(UInt64(bitPattern: Int64(value)))
    }

    mutating func double(_ field: Int, _ value: Double) {
        key(field, wireType: 1)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func float(_ field: Int, _ value: Float) {
        key(field, wireType: 5)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func text(_ field: Int, _ value: String) {
        key(field, wireType: 2)
        variable(UInt64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    mutating func message(_ field: Int, _ value: ProtocolBuffer) {
        key(field, wireType: 2)
        variable(UInt64(value.bytes.count))
        bytes.append(contentsOf: value.bytes)
    }

    private mutating func key(_ field: Int, wireType: Int) { variable(UInt64(field << 3 | wireType)) }

    private mutating func variable(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
