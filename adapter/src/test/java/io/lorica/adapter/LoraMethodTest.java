package io.lorica.adapter;

import java.util.List;

class LoraMethodTest extends MethodContract {
    @Override
    String method() {
        return "lora";
    }

    @Override
    List<String> suffixes() {
        return List.of(".lora_A.weight", ".lora_B.weight");
    }
}
