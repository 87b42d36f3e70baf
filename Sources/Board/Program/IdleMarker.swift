import Platform

/// Tells scripts when the board is at rest. With `TUNEBOARD_IDLE_FILE` set to a path, the board keeps one line there:
///
/// ```
/// idle keys=12 frames=31 tab=Monitor job=running step=17
/// ```
/// The first word is `idle` when every key was handled and nothing that a key asked for is still being worked on, else `busy`. A
/// script sends its keys, then waits until the line says `idle` with that many keys. A running job does not count as busy.
struct IdleMarker {
    private let path: String
    private var written = ""

    init?(path: String?) {
        guard let path, !path.isEmpty else { return nil }
        self.path = path
    }

    mutating func update(isIdle: Bool, keys: Int, frames: Int, state: BoardState) {
        let run = state.runningJob ?? state.jobs[state.pageForm] ?? state.monitoredRun
        let job = run.map { $0.state.rawValue } ?? "none"
        let chat =
            switch state.chat.engine {
            case .empty: "empty"
            case .loading: "loading"
            case .ready: state.chat.isStreaming ? "answering" : "ready"
            case .failed: "failed"
            }
        let line = "\(isIdle ? "idle" : "busy") keys=\(keys) frames=\(frames) tab=\(state.tab.title) job=\(job) "
            + "step=\(run?.latest?.step ?? 0) chat=\(chat)\n"
        guard line != written else { return }
        written = line
        try? FileSystem.writeAtomically(path, text: line)
    }
}
