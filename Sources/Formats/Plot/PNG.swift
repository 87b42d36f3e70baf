/// Writing PNG (ISO 15948): eight bits for each of red, green and blue.

enum PNG {
    /// - Parameter pixels: width x height x 3 bytes, rows from the top.
    static func encoded(width: Int, height: Int, pixels: [UInt8]) -> [UInt8] {
        var lines: [UInt8] = []
        lines.reserveCapacity(height * (width * 3 + 1))
        for row in 0..<height {
            lines.append(0)  // no filter: equal rows are found by the compressor
            lines.append(contentsOf: pixels[(row * width * 3)..<((row + 1) * width * 3)])
        }
        let header = Zlib.bigEndian(UInt32(width)) + Zlib.bigEndian(UInt32(height)) + [8, 2, 0, 0, 0]
        return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + chunk("IHDR", header) + chunk("IDAT", Zlib.compressed(lines))
            + chunk("IEND", [])
    }

    private static func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
        let body = Array(name.utf8) + content
        return Zlib.bigEndian(UInt32(content.count)) + body + Zlib.bigEndian(crc32(body))
    }

    static func crc32(_ bytes: [UInt8]) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in bytes { crc = crcTable[Int((crc ^ UInt32(byte)) & 0xFF)] ^ (crc >> 8) }
        return ~crc
    }

    private static let crcTable: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
    }
}
