/// Starting other programs, without a shell in between.

import CPlatform
import Glibc

public enum ProcessRunner {
    /// How a program ended.
    public enum Ending: Sendable, Equatable {
        case exited(Int32)
        case signalled(Int32)

        /// What a shell would report: the exit code, or 128 plus the signal.
        public var code: Int32 {
            switch self {
            case .exited(let code): code
            case .signalled(let signal): 128 + signal
            }
        }
    }

    /// Runs a program to its end and returns what it printed (both streams, at most `limit` bytes).
    /// - Parameter environment: NAME=value entries in place of ours.
    public static func run(
        _ arguments: [String], environment: [String]? = nil, directory: String? = nil, limit: Int = 16 << 20
    ) throws(PlatformError) -> (ending: Ending, output: [UInt8]) {
        var ends: [Int32] = [-1, -1]
        guard platform_pipe(&ends) == 0 else {
            throw .cannotStart(program: arguments.first ?? "", reason: PlatformError.reason())
        }
        defer { close(ends[0]) }
        let process: pid_t
        do throws(PlatformError) {
            process = try spawn(arguments, environment: environment, directory: directory, output: ends[1])
            close(ends[1])
        } catch {
            close(ends[1])
            throw error
        }
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = chunk.withUnsafeMutableBytes { read(ends[0], $0.baseAddress, $0.count) }
            if count == 0 { break }
            if count < 0 { if errno == EINTR { continue } else { break } }
            output.append(contentsOf: chunk[..<min(count, max(0, limit - output.count))])
        }
        return (wait(process), output)
    }

    /// Starts a program and returns at once. `arguments[0]` is looked up in PATH.
    /// - Parameters:
    ///   - output: descriptor that becomes its stdout and stderr; ours when nil.
    ///   - input: descriptor that becomes its stdin; /dev/null when nil.
    public static func spawn(
        _ arguments: [String], environment: [String]? = nil, directory: String? = nil, output: Int32? = nil, input: Int32? = nil,
        newSession: Bool = false
    ) throws(PlatformError) -> pid_t {
        guard let program = arguments.first else { throw .cannotStart(program: "(none)", reason: "no program was named") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        if let output {
            posix_spawn_file_actions_adddup2(&actions, output, 1)
            posix_spawn_file_actions_adddup2(&actions, output, 2)
        }
        if let directory { platform_spawn_directory(&actions, directory) }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The child starts with the default signals, whatever we ignore or block.
        var noSignals = sigset_t()
        sigemptyset(&noSignals)
        var allSignals = sigset_t()
        sigfillset(&allSignals)
        posix_spawnattr_setsigmask(&attributes, &noSignals)
        posix_spawnattr_setsigdefault(&attributes, &allSignals)
        var flags = Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF)
        // POSIX_SPAWN_SETSID
        if newSession { flags |= 0x80 }
        posix_spawnattr_setflags(&attributes, flags)

        let argumentPointers = arguments.map { strdup($0) } + [nil]
        let environmentPointers = (environment ?? Environment.all).map { strdup($0) } + [nil]
        defer {
            for pointer in argumentPointers + environmentPointers { free(pointer) }
        }
        var process = pid_t()
        let code = posix_spawnp(&process, program, &actions, &attributes, argumentPointers, environmentPointers)
        if code != 0 { throw .cannotStart(program: program, reason: PlatformError.reason(code)) }
        return process
    }

    /// Waits for a child of ours.
    public static func wait(_ process: pid_t) -> Ending {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 {
            if errno != EINTR { return .exited(127) }
        }
        return ending(status)
    }

    /// Nil while the child still runs.
    public static func poll(_ process: pid_t) -> Ending? {
        var status: Int32 = 0
        let answer = waitpid(process, &status, WNOHANG)
        if answer == 0 { return nil }
        return answer < 0 ? .exited(127) : ending(status)
    }

    /// True while some process has this number; it need not be ours.
    public static func isAlive(_ process: pid_t) -> Bool { process > 0 && (kill(process, 0) == 0 || errno == EPERM) }

    public static var ownIdentifier: Int32 { getpid() }

    private static func ending(_ status: Int32) -> Ending {
        let signal = status & 0x7F
        return signal == 0 ? .exited((status >> 8) & 0xFF) : .signalled(signal)
    }
}
