import Glibc
import Platform

/// What the errors of a format have in common where a file of it is written.
protocol LayoutError: Error {
    static func cannotWrite(_ error: PlatformError) -> Self
    static func badTensor(path: String, tensor: String, reason: String) -> Self
}

extension GGUFError: LayoutError {}
extension SafetensorsError: LayoutError {}

/// The place of a tensor within the data of a file that is going to be written.
struct FileRegion {
    let name: String
    let start: Int
    let count: Int
}

/// A file whose header says where everything lies: the header is written first, then tensors are filled in any order. It is made
/// beside its target and gets the name in `finish`, when the disk has all of it; an unfinished one is removed when its writer goes away.
final class LaidOutFile<Failure: LayoutError> {
    let path: String
    /// Bytes of the finished file.
    let byteCount: Int
    private let dataStart: Int
    private let regions: [FileRegion]
    private var written: [Int]
    private var places: [ByteKey: Int] = [:]
    private let temporaryPath: String
    private var descriptor: Int32 = -1

    /// - Parameters:
    ///   - dataStart: bytes before the first region; what the header leaves free reads as zeros.
    ///   - dataCount: bytes of the data, whatever lies between regions included.
    init(path: String, header: [UInt8], dataStart: Int, regions: [FileRegion], dataCount: Int) throws(Failure) {
        self.path = path
        self.dataStart = dataStart
        self.regions = regions
        byteCount = dataStart + dataCount
        written = [Int](repeating: 0, count: regions.count)
        temporaryPath = FileSystem.temporaryName(for: path)
        for (place, region) in regions.enumerated() where places.updateValue(place, forKey: ByteKey(region.name)) != nil {
            throw .badTensor(path: path, tensor: region.name, reason: "the name is used twice.")
        }
        descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        if descriptor < 0 { throw failure() }
        do throws(Failure) {
            try header.withContiguousBytes { bytes throws(Failure) in try put(bytes, at: 0) }
            if ftruncate(descriptor, off_t(byteCount)) != 0 { throw failure() }
        } catch {
            abandon()
            throw error
        }
    }

    deinit { abandon() }

    /// Fills in the next bytes of a tensor: all of them at once or piece by piece.
    func write(_ bytes: UnsafeRawBufferPointer, to name: String) throws(Failure) {
        guard let place = places[ByteKey(name)] else { throw .badTensor(path: path, tensor: name, reason: "it was not announced.") }
        let region = regions[place]
        guard bytes.count <= region.count - written[place] else {
            throw .badTensor(
                path: path, tensor: name,
                reason: "\(written[place] + bytes.count) bytes were written, its shape has room for \(region.count).")
        }
        try put(bytes, at: dataStart + region.start + written[place])
        written[place] += bytes.count
    }

    /// Makes sure that every tensor is complete, that the disk has it, and gives the file its name.
    func finish() throws(Failure) {
        for (region, written) in zip(regions, written) where written != region.count {
            throw .badTensor(path: path, tensor: region.name, reason: "only \(written) of \(region.count) bytes were written.")
        }
        if fsync(descriptor) != 0 { throw failure() }
        close(descriptor)
        descriptor = -1
        do throws(PlatformError) {
            try FileSystem.rename(temporaryPath, path)
        } catch {
            unlink(temporaryPath)
            throw .cannotWrite(error)
        }
        FileSystem.synchronizeDirectory(Path.directory(path))
    }

    private func put(_ bytes: UnsafeRawBufferPointer, at position: Int) throws(Failure) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, bytes.baseAddress?.advanced(by: done), min(bytes.count - done, 1 << 30), off_t(position + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw failure()
            }
            done += count
        }
    }

    private func failure() -> Failure { .cannotWrite(.cannotWrite(path: path, reason: String(cString: strerror(errno)))) }

    private func abandon() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        descriptor = -1
        unlink(temporaryPath)
    }
}

extension Array where Element == UInt8 {
    /// `withUnsafeBytes` for bodies that throw one typed error.
    func withContiguousBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let outcome: Swift.Result<Result, Failure> = withUnsafeBytes { bytes in
            do throws(Failure) { return .success(try body(bytes)) } catch { return .failure(error) }
        }
        return try outcome.get()
    }
}
