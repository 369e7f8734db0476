import { Workshop } from "./work/client";
(window as any).workshop = new Workshop(() => {});
