import Formats
import Platform

/// Writes rows as a list (.json) or one on a line (.jsonl). The file appears when it is complete, and is never one that the work reads.
final class RowWriter {
    let path: String
    private let isList: Bool
    private let beside: String
    private let file: OutputFile
    private var buffer: [UInt8] = []
    private(set) var count = 0
    private var isFinished = false

    private static let bufferedBytes = 1 << 20

    /// - Parameters:
    ///   - sources: files that must stay as they are.
    ///   - overwrites: whether another file that exists may be replaced.
    init(path: String, sources: [String], overwrites: Bool = false) throws(DatasetError) {
        self.path = path
        switch Path.extension(path).lowercased() {
        case "json": isList = true
        case "jsonl", "ndjson": isList = false
        default: throw .badSetting(argument: "output", reason: "\(path) ends in neither .jsonl nor .json")
        }
        guard Path.name(path) != DatasetDirectory.infoName else {
            throw .badSetting(argument: "output", reason: "\(path) lists data sets and holds no rows; name another file")
        }
        try RowTarget.check(path, sources: sources, overwrites: overwrites)
        beside = FileSystem.temporaryName(for: path)
        do {
            try FileSystem.createDirectory(Path.directory(path))
            file = try OutputFile(path: beside)
        } catch {
            throw .unwritable(path: path, reason: error.description)
        }
        buffer.reserveCapacity(Self.bufferedBytes + (1 << 16))
        if isList { buffer += Array("[\n".utf8) }
    }

    deinit {
        file.close()
        if !isFinished { try? FileSystem.remove(beside) }
    }

    func write(_ row: JSONValue) throws(DatasetError) {
        try write(Array(row.text(style: .python).utf8)[...])
    }

    /// A row as it stands in its file, which holds JSON.
    func write(source: UnsafeRawBufferPointer) throws(DatasetError) { try write(source) }

    private func write(_ bytes: some Collection<UInt8>) throws(DatasetError) {
        if isList, count > 0 { buffer += [0x2C, 0x0A] }
        buffer.append(contentsOf: bytes)
        if !isList { buffer.append(0x0A) }
        count += 1
        if buffer.count >= Self.bufferedBytes { try flush() }
    }

    private func flush() throws(DatasetError) {
        do { try file.write(buffer) } catch { throw .unwritable(path: path, reason: error.description) }
        buffer.removeAll(keepingCapacity: true)
    }

    /// The last bytes, and the name.
    func finish() throws(DatasetError) {
        if isList { buffer += Array((count > 0 ? "\n]\n" : "]\n").utf8) }
        try flush()
        do {
            try file.synchronize()
            file.close()
            try FileSystem.rename(beside, path)
        } catch {
            throw .unwritable(path: path, reason: error.description)
        }
        isFinished = true
        FileSystem.synchronizeDirectory(Path.directory(path))
    }
}

/// Where rows may go.
public enum RowTarget {
    /// Refuses to write over what is read, and over what exists unless that is wanted.
    /// - Parameter argument: what names the file.
    public static func check(_ path: String, argument: String = "output", sources: [String], overwrites: Bool) throws(DatasetError) {
        let own = FileSystem.realPath(path)
        if let own, let source = sources.first(where: { FileSystem.realPath($0) == own }) {
            throw .badSetting(argument: argument, reason: "\(path) is \(source) itself, and files that are read are never overwritten; name another file")
        }
        if FileSystem.exists(path), !overwrites || FileSystem.isDirectory(path) { throw .outputExists(path: path) }
    }
}
