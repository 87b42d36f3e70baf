import Testing

@testable import Platform

@Suite struct ProcessTests {
    @Test func programsRunWithoutAShell() throws {
        let (ending, output) = try ProcessRunner.run(["printf", "%s", "a b $HOME"])
        #expect(ending == .exited(0))
        #expect(String(decoding: output, as: UTF8.self) == "a b $HOME")
        #expect(try ProcessRunner.run(["sh", "-c", "exit 3"]).ending == .exited(3))
        #expect(try ProcessRunner.run(["sh", "-c", "kill -9 $$"]).ending.code == 137)
        #expect(try ProcessRunner.run(["sh", "-c", "pwd; echo $X"], environment: ["X=7", "PATH=/bin:/usr/bin"], directory: "/").output == Array("/\n7\n".utf8))
        #expect(throws: PlatformError.self) { try ProcessRunner.run(["no-such-program-here"]) }
        #expect(throws: PlatformError.self) { try ProcessRunner.run([]) }
    }

    @Test func threadsAreJoinedAndWaitedFor() {
        let total = Mutex(0)
        let threads = (1...4).map { number in
            EngineThread(name: "adder \(number)") { for _ in 0..<1000 { total.update { $0 += number } } }
        }
        let sum = total.waitUntil({ $0 == 10_000 }, then: { $0 })
        for thread in threads { thread.join() }
        #expect(sum == 10_000)
        for thread in threads { #expect(thread.isFinished) }
    }

    @Test func waitingEndsWithTheTime() {
        let condition = Condition()
        condition.lock()
        let start = Clock.monotonicSeconds()
        #expect(!condition.wait(seconds: 0.02))
        condition.unlock()
        #expect(Clock.monotonicSeconds() - start >= 0.019)
    }

    @Test func theMachineIsDescribed() {
        #expect(SystemInfo.cpuCount >= 1)
        #expect(SystemInfo.physicalMemoryBytes > 1 << 28)
        #expect(SystemInfo.availableMemoryBytes > 0)
        #expect(SystemInfo.residentBytes() > 1 << 20)
        #expect(SystemInfo.peakResidentBytes() >= SystemInfo.residentBytes() / 2)
        #expect(!SystemInfo.cpuModel.isEmpty && !SystemInfo.hostName.isEmpty && !SystemInfo.systemName.isEmpty)
        #expect(FileSystem.freeBytes(at: "/tmp/not/there/yet") > 0)
        #expect(FileSystem.executablePath != nil)
        var sampler = CPUSampler()
        let sample = sampler.sample()
        #expect(sample.processors.allSatisfy { $0 >= 0 && $0 <= 1 })
    }

    @Test func datesAreWrittenPlainly() {
        let date = LocalDate(year: 2026, month: 1, day: 2, hour: 3, minute: 4, second: 5)
        #expect(date.isoText == "2026-01-02 03:04:05")
        #expect(date.fileText == "2026-01-02-03-04-05")
        #expect(Clock.isoText(.nan).hasPrefix("19"))
        #expect(Clock.localDate().year >= 2024)
    }

    @Test func environmentIsRead() {
        #expect(Environment.value("PATH") != nil)
        #expect(Environment.value("NO_SUCH_VARIABLE_HERE") == nil)
        #expect(Environment.all.contains { $0.hasPrefix("PATH=") })
    }
}
