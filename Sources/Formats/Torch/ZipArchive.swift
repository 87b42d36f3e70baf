/// The table of contents of a zip archive whose entries are stored as they are, as `torch.save` writes them.
///
///     local header | name | extra | bytes   ...   central directory (one record an entry) | [zip64 records] | end record
///
/// Only the central directory is believed, and only after its claims were checked against the file and against each other: no
/// entry may reach into another, into the directory or past the end.
struct ZipArchive {
    struct Entry: Equatable {
        let name: String
        /// Bytes within the file.
        let range: Range<Int>
    }

    let entries: [Entry]
    private let places: [ByteKey: Int]

    /// A checkpoint has some thousands.
    private static let largestCount = 1 << 20

    func entry(_ name: String) -> Entry? { places[ByteKey(name)].map { entries[$0] } }

    static func isArchive(_ bytes: UnsafeRawBufferPointer) -> Bool { ZipBytes(bytes: bytes).number(0, 4) == 0x0403_4b50 }

    init(_ contents: UnsafeRawBufferPointer, path: String) throws(TorchError) {
        let bytes = ZipBytes(bytes: contents)
        let directory = try Self.directory(bytes, path: path)
        var entries: [Entry] = [], extents: [(Range<Int>, String)] = [], places: [ByteKey: Int] = [:]
        var place = directory.range.lowerBound
        for _ in 0..<directory.count {
            let record = try Self.record(bytes, at: place, limit: directory.range.upperBound, path: path)
            place = record.next
            let start = try Self.dataStart(bytes, record: record, limit: directory.range.lowerBound, path: path)
            guard record.size <= directory.range.lowerBound - start else {
                throw .badArchive(path: path, reason: "\(record.name) reaches past the data.")
            }
            guard places.updateValue(entries.count, forKey: ByteKey(record.name)) == nil else {
                throw .badArchive(path: path, reason: "\(record.name) is there twice.")
            }
            entries.append(Entry(name: record.name, range: start..<start + record.size))
            extents.append((record.header..<start + record.size, record.name))
        }
        guard place == directory.range.upperBound else { throw .badArchive(path: path, reason: "the directory has room for other entries.") }
        extents.sort { ($0.0.lowerBound, $0.0.upperBound) < ($1.0.lowerBound, $1.0.upperBound) }
        for (left, right) in zip(extents, extents.dropFirst()) where right.0.lowerBound < left.0.upperBound {
            throw .badArchive(path: path, reason: "\(left.1) and \(right.1) overlap.")
        }
        self.entries = entries
        self.places = places
    }

    /// Finds the end record, and the central directory that it, or its zip64 companion, names.
    private static func directory(_ bytes: ZipBytes, path: String) throws(TorchError) -> (range: Range<Int>, count: Int) {
        let last = bytes.count - 22
        var end = last
        while end >= 0, end >= last - 65_535, bytes.number(end, 4) != 0x0605_4b50 { end -= 1 }
        guard end >= 0, bytes.number(end, 4) == 0x0605_4b50 else {
            throw .badArchive(path: path, reason: "its end is missing. Download it again.")
        }
        var count = bytes.number(end + 10, 2), size = bytes.number(end + 12, 4), start = bytes.number(end + 16, 4), stop: Int? = end
        if let locator = Optional(end - 20), locator >= 0, bytes.number(locator, 4) == 0x0706_4b50 {
            guard let record = bytes.number(locator + 8, 8), bytes.number(record, 4) == 0x0606_4b50 else {
                throw .badArchive(path: path, reason: "its zip64 end record is missing.")
            }
            count = bytes.number(record + 32, 8)
            size = bytes.number(record + 40, 8)
            start = bytes.number(record + 48, 8)
            stop = record
        }
        guard let count, let size, let start, let stop, start <= stop, size <= stop - start else {
            throw .badArchive(path: path, reason: "its directory lies outside the file.")
        }
        guard count <= largestCount, count * 46 <= size else {
            throw .badArchive(path: path, reason: "its directory of \(size) bytes claims \(count) entries.")
        }
        return (start..<start + size, count)
    }

    private struct Record {
        let name: String
        let header: Int
        let size: Int
        let next: Int
    }

    /// One record of the central directory.
    private static func record(_ bytes: ZipBytes, at place: Int, limit: Int, path: String) throws(TorchError) -> Record {
        guard place + 46 <= limit, bytes.number(place, 4) == 0x0201_4b50, let flags = bytes.number(place + 8, 2),
            let method = bytes.number(place + 10, 2), var packed = bytes.number(place + 20, 4), var size = bytes.number(place + 24, 4),
            let nameLength = bytes.number(place + 28, 2), let extraLength = bytes.number(place + 30, 2),
            let commentLength = bytes.number(place + 32, 2), var header = bytes.number(place + 42, 4)
        else { throw .badArchive(path: path, reason: "its directory ends early.") }
        let extra = place + 46 + nameLength, next = extra + extraLength + commentLength
        guard next <= limit, let name = bytes.text(place + 46, nameLength) else {
            throw .badArchive(path: path, reason: "a name in its directory cannot be read.")
        }
        // Numbers that do not fit are in the zip64 field, in this order.
        var at = extra
        while at + 4 <= extra + extraLength, let kind = bytes.number(at, 2), let length = bytes.number(at + 2, 2) {
            var value = at + 4
            let end = value + length
            func wide(_ number: inout Int) {
                guard number == 0xffff_ffff, value + 8 <= end, end <= extra + extraLength else { return }
                number = bytes.number(value, 8) ?? .max
                value += 8
            }
            if kind == 1 {
                wide(&size)
                wide(&packed)
                wide(&header)
            }
            at = end
        }
        guard flags & 1 == 0 else { throw .badArchive(path: path, reason: "\(name) is encrypted.") }
        guard method == 0, packed == size else {
            throw .badArchive(path: path, reason: "\(name) is compressed; torch.save stores its entries as they are.")
        }
        return Record(name: name, header: header, size: size, next: next)
    }

    private static func dataStart(_ bytes: ZipBytes, record: Record, limit: Int, path: String) throws(TorchError) -> Int {
        guard record.header <= limit, bytes.number(record.header, 4) == 0x0403_4b50, let nameLength = bytes.number(record.header + 26, 2),
            let extraLength = bytes.number(record.header + 28, 2), case let start = record.header + 30 + nameLength + extraLength,
            start <= limit
        else { throw .badArchive(path: path, reason: "the header of \(record.name) lies outside the data.") }
        return start
    }
}

/// Little-endian numbers of untrusted bytes.
struct ZipBytes {
    let bytes: UnsafeRawBufferPointer
    var count: Int { bytes.count }

    /// Nil outside the bytes and for numbers that no file can mean.
    func number(_ place: Int, _ size: Int) -> Int? {
        guard place >= 0, place <= bytes.count - size else { return nil }
        var value: UInt64 = 0
        for index in 0..<size { value |= UInt64(bytes[place + index]) << UInt64(8 * index) }
        return value > UInt64(Int.max) / 4 ? nil : Int(value)
    }

    func text(_ place: Int, _ length: Int) -> String? {
        guard place >= 0, length >= 0, place <= bytes.count - length else { return nil }
        return String(validating: bytes[place..<place + length], as: UTF8.self)
    }
}
