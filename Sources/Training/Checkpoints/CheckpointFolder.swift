/// The checkpoint-N folders of an output directory: found, written so that each is complete or absent, thinned out.
///
/// A checkpoint is written into `.checkpoint-N.partial` beside its place, made durable, and renamed. A process killed at any
/// instant leaves a partial folder at most, which the next run removes.

import Glibc
import Platform

public struct CheckpointFolder: Sendable, Equatable {
    public let path: String
    public let step: Int

    static let prefix = "checkpoint-"
    private static let partialSuffix = ".partial"

    /// What a checkpoint cannot do without; the last file that is written.
    static let lastFile = TrainerState.fileName

    /// Complete checkpoints in `directory`, by ascending step.
    public static func all(in directory: String) -> [CheckpointFolder] {
        let names = (try? FileSystem.list(directory)) ?? []
        return names.compactMap { name in
            guard name.hasPrefix(prefix), let step = Int(name.dropFirst(prefix.count)) else { return nil }
            let path = Path.join(directory, name)
            return FileSystem.exists(Path.join(path, lastFile)) ? CheckpointFolder(path: path, step: step) : nil
        }.sorted { $0.step < $1.step }
    }

    /// The checkpoint that `resume_from_checkpoint` means.
    /// - Parameter path: a checkpoint, an output directory whose last one is meant, or empty for that of `outputDirectory`.
    static func resumed(_ path: String, outputDirectory: String) throws(TrainingError) -> CheckpointFolder {
        let directory = path.isEmpty ? outputDirectory : path
        // A run that has ended has a trainer_state.json of its own, but only its checkpoints hold the optimizer.
        if let last = all(in: directory).last { return last }
        guard !path.isEmpty, FileSystem.exists(Path.join(directory, lastFile)) else { throw .noCheckpoint(directory: directory) }
        return CheckpointFolder(path: directory, step: try TrainerState.read(from: directory).globalStep)
    }

    /// Writes a checkpoint by `fill`, which is given the folder to write into. An older one of the same step is replaced; what else has that
    /// name is renamed.
    @discardableResult
    static func write(step: Int, in directory: String, fill: (String) throws -> Void) throws -> CheckpointFolder {
        let place = Path.join(directory, prefix + String(step))
        let partial = Path.join(directory, "." + prefix + String(step) + partialSuffix)
        if FileSystem.exists(partial) { try FileSystem.removeTree(partial) }
        try FileSystem.createDirectory(partial)
        do {
            try fill(partial)
            try makeDurable(partial)
            if FileSystem.isThere(place), !FileSystem.exists(Path.join(place, lastFile)) { try FileSystem.putAside(place, ending: ".other") }
            if FileSystem.exists(place), FileSystem.exchange(partial, place) {
                // The earlier checkpoint of this step has the partial name now; at no instant was there none.
                FileSystem.synchronizeDirectory(directory)
                try FileSystem.removeTree(partial)
            } else {
                if FileSystem.exists(place) { try FileSystem.removeTree(place) }
                try FileSystem.rename(partial, place)
                FileSystem.synchronizeDirectory(directory)
            }
        } catch {
            try? FileSystem.removeTree(partial)
            throw error
        }
        return CheckpointFolder(path: place, step: step)
    }

    /// Every file's data reaches the disk before the folder gets its name.
    private static func makeDurable(_ directory: String) throws {
        for name in try FileSystem.list(directory) {
            let descriptor = open(Path.join(directory, name), O_RDONLY)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            // A full or broken disk may say so only now.
            if fsync(descriptor) != 0, errno == EIO || errno == ENOSPC || errno == EDQUOT {
                throw PlatformError.cannotWrite(path: Path.join(directory, name), reason: String(cString: strerror(errno)))
            }
        }
        FileSystem.synchronizeDirectory(directory)
    }

    /// What a killed run left unfinished.
    static func removePartial(in directory: String) {
        for name in (try? FileSystem.list(directory)) ?? [] where name.hasPrefix("." + prefix) && name.hasSuffix(partialSuffix) {
            try? FileSystem.removeTree(Path.join(directory, name))
        }
    }

    /// Removes others until `limit` are left: first those of later steps, which belong to a course that was given up by resuming
    /// before them, then the oldest. The best one and the newest always stay, as in the Trainer.
    /// - Parameter newest: the step whose checkpoint was written last.
    static func thin(in directory: String, limit: Int?, best: String?, newest: Int) {
        guard let limit, limit > 0 else { return }
        let found = all(in: directory)
        let folders = found.filter { $0.step > newest } + found.filter { $0.step <= newest }
        let kept = folders.filter { folder in folder.step == newest || best.map { isSame(folder.path, $0) } ?? false }
        let removable = folders.filter { !kept.contains($0) }
        for folder in removable.prefix(max(0, folders.count - max(limit, kept.count))) { try? FileSystem.removeTree(folder.path) }
    }

    private static func isSame(_ first: String, _ second: String) -> Bool { Path.absolute(first) == Path.absolute(second) }
}
