// Words of the screen of the workers.

import { wordsOf } from "./words.js";

export const t = wordsOf({
  workers: ["Workers", "工作进程"],
  hint: [
    "Several machines share the accounts. Each account is run by one worker; if a worker dies, the others take its accounts when its lease expires.",
    "多台机器共享这些账号。每个账号由一个工作进程运行；工作进程异常退出后，租约一到期，其账号就由其他工作进程接管。",
  ],
  refresh: ["Refresh", "刷新"],
  noWorkers: ["No workers", "没有工作进程"],
  noWorkersHint: ["No process runs the accounts.", "没有进程在运行这些账号。"],
  worker: ["Worker", "工作进程"],
  state: ["State", "状态"],
  alive: ["alive", "正常"],
  draining: ["handing over", "正在移交"],
  dead: ["dead", "已失联"],
  lease: ["Lease", "租约"],
  leaseEnds: ["expires in {time}", "{time}后到期"],
  leaseEnded: ["expired {time} ago", "{time}前到期"],
  leaseAge: ["renewed {time} ago", "{time}前续约"],
  lag: ["Delay", "响应延迟"],
  behind: ["Events waiting", "待处理事件"],
  events: ["{n} events", "{n} 个事件"],
  failedBots: ["Failed bots", "出错的机器人"],
  load: ["Accounts", "账号"],
  of: ["{n} of {most}", "{n} / {most}"],
  address: ["Address", "地址"],
  drain: ["Hand over accounts", "移交账号"],
  drainTitle: ["Hand over the accounts of this worker?", "要移交此工作进程的账号吗？"],
  drainHint: [
    "The other workers take its accounts ({n}), and its process exits. Running handlers have ten seconds to finish.",
    "其他工作进程会接管它的 {n} 个账号，随后其进程退出。正在执行的处理函数有十秒钟时间完成。",
  ],
  drained: ["The worker hands its accounts over.", "该工作进程正在移交账号。"],
  owners: ["Owners of the accounts", "账号归属"],
  noOwner: ["none", "无"],
  loggedOut: ["none: logged out", "无：已退出登录"],
  epoch: ["Takeovers", "接管次数"],
  taken: ["Last takeover", "最近接管"],
});
