import Configuration
import Platform
import Runs

/// What becomes of the run whose folder another is to take.
public enum Takeover: Sendable, Equatable {
    /// It stays, and the new run goes to another folder.
    case elsewhere(String)
    /// It goes on from its newest checkpoint.
    case goOn(step: Int)
    /// It goes, with its model, its log and its checkpoints.
    case replace

    /// What can become of a run, the careful answer first.
    /// - Parameters:
    ///   - plannedSteps: how many steps the new run is to have; nil where nobody knows.
    ///   - isTaken: whether a job that waits or is at work writes to a folder.
    public static func ways(with earlier: EarlierRun, plannedSteps: Int? = nil, isTaken: (String) -> Bool = { _ in false }) -> [Takeover] {
        var ways: [Takeover] = [.elsewhere(earlier.freeFolder(isTaken: isTaken))]
        if let step = earlier.checkpointStep, earlier.canGoOn(plannedSteps: plannedSteps) { ways.append(.goOn(step: step)) }
        return ways + [.replace]
    }

    /// The arguments of the run that is started then.
    /// - Parameter folderArgument: what names the folder.
    public func applied(to configuration: Configuration, folderArgument: String = "output_dir") -> Configuration {
        var configuration = configuration
        switch self {
        case .elsewhere(let folder): try? configuration.set(folderArgument, text: folder)
        case .goOn:
            try? configuration.set("resume_from_checkpoint", text: "true")
            try? configuration.set("overwrite_output_dir", text: "false")
        // An export replaces what it finds by itself.
        case .replace: if folderArgument == "output_dir" { try? configuration.set("overwrite_output_dir", text: "true") }
        }
        return configuration
    }

    public var label: String {
        switch self {
        case .elsewhere: say("New folder")
        case .goOn(let step): say("Go on from \(step)")
        case .replace: say("Replace")
        }
    }

    var key: Character {
        switch self {
        case .elsewhere: "n"
        case .goOn: "g"
        case .replace: "r"
        }
    }

    /// What lies in the folder, and what the answers would do.
    public static func question(_ earlier: EarlierRun, _ ways: [Takeover]) -> String {
        let state = say(key: earlier.state.word)
        let found =
            earlier.totalSteps > 0
            ? say("\(earlier.folder) holds a run: \(state), step \(earlier.step) of \(earlier.totalSteps).") : say("\(earlier.folder) holds a run: \(state).")
        var sentences = [found, say("Replacing it removes its model, its log and its checkpoints.")]
        for case .elsewhere(let folder) in ways { sentences.append(say("The new folder would be \(Path.name(folder)).")) }
        return sentences.joined(separator: Wording.current.language.sentenceSpace)
    }

    /// Why a start that nobody can be asked about waits.
    static func reason(_ earlier: EarlierRun) -> String { say("\(earlier.folder) holds a run that this one would replace or go on with.") }
}
